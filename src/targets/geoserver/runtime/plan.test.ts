import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CatalogEntry } from '../definition/model.ts'
import type { Actual, Change, Prepared, Step } from './model.ts'
import { EMPTY_STATE, type NodeState, NOTHING_OWED, type Tried } from './node-state.ts'
import { withOutcome } from './outcome.ts'
import { plan } from './plan.ts'
import { report } from './report.ts'
import type { PlanOptions } from './situation.ts'

const OPTIONS: PlanOptions = {
  role: 'replica',
  foreign: [],
  reloadAbove: 150,
  reload: 'drained',
  retryMs: 5000,
  versions: [],
}

/** What each object needs, such as a group the layers in it. */
const NEEDS: Readonly<Record<string, readonly string[]>> = {
  'workspace/w': [],
  'namespace/w': ['workspace/w'],
  'style/w:s': ['workspace/w', 'file/workspaces/w/styles/s.sld'],
  'file/workspaces/w/styles/s.sld': [],
  'file/workspaces/w/styles/i.svg': [],
  'file/workspaces/w/d/t/content.ftl': [],
  'datastore/w:d': ['workspace/w'],
  'featuretype/w:t': ['namespace/w', 'datastore/w:d'],
  'layer/w:t': ['featuretype/w:t', 'style/w:s'],
  'layergroup/w:inner': ['workspace/w', 'layer/w:t'],
  'layergroup/a': ['layergroup/w:inner'],
  'tile-layer/w:t': ['layer/w:t'],
  'service/wps': [],
  'global/global': [],
}

function entryOf(key: string, digest: string): CatalogEntry {
  const path = key.startsWith('file/') ? key.slice('file/'.length) : `workspaces/w/${key.replace(':', '/')}.xml`
  const kind = path.endsWith('.sld') ? 'style-body' : path.endsWith('.svg') ? 'graphic' : 'template'
  const type = key.startsWith('file/') ? kind : key.startsWith('tile-layer/') ? 'tile-layer' : 'object'
  const needs = NEEDS[key] ?? []
  return { path, class: type, key, size: 1, sha256: digest, digest, encrypted: [], needs, data: [] }
}

type Digests = Readonly<Record<string, string>>

function entriesOf(digests: Digests): ReadonlyMap<string, CatalogEntry> {
  return new Map(Object.entries(digests).map(([key, digest]) => [key, entryOf(key, digest)]))
}

function preparedOf(digests: Digests, more: Partial<Prepared> = {}): Prepared {
  const entries = entriesOf(digests)
  const tree = { files: [], read: async () => await Promise.resolve(new Uint8Array()) }
  const catalog = { entries, problems: [] }
  return { number: 2, catalog, entries, tree, byFile: new Set(), requests: [], gate: undefined, warnings: [], ...more }
}

function actualOf(digests: Digests, state: NodeState, more: Partial<Actual> = {}): Actual {
  const entries = entriesOf(digests)
  const catalog = { entries, problems: [] }
  const tree = { files: [], catalog, read: async () => await Promise.resolve(new Uint8Array()) }
  const application = { is: 'up', version: '2.26.2', updateSequence: 1 } as const
  const agrees = new Map([...state.tried.keys()].map((key) => [key, true]))
  return {
    nowMs: 1000,
    state,
    tree,
    entries,
    application,
    traffic: 'no-proxy',
    agrees,
    lacks: [],
    waits: new Map(),
    ...more,
  }
}

function met(base: Digests, more: Partial<NodeState> = {}): NodeState {
  return { ...EMPTY_STATE, met: true, base: new Map(Object.entries(base)), ...more }
}

/** A node on which every step does what it says. */
class Model {
  readonly here: Map<string, string>
  state: NodeState
  readonly done: Step['step'][] = []

  constructor(here: Digests, state: NodeState) {
    this.here = new Map(Object.entries(here))
    this.state = state
  }

  actual(more: Partial<Actual> = {}): Actual {
    return actualOf(Object.fromEntries(this.here), this.state, more)
  }

  run(step: Step): void {
    this.done.push(step.step)
    if (step.step === 'change') this.#change(step.change)
    if (step.step === 'reload') for (const one of step.changes) this.#change(one)
    if (step.step === 'record') this.state = withOutcome(this.state, step.outcome)
    if (step.step === 'settle' || step.step === 'reload') {
      const tried = [...this.state.tried].map(([key, one]) => [key, { ...one, done: true }] as const)
      const reload = step.step === 'settle' && this.state.owed.reload
      this.state = { ...this.state, tried: new Map(tried), owed: { ...NOTHING_OWED, reload } }
    }
    if (step.step === 'begin') {
      const { changes, way, owed } = step.work
      const begun = changes.map(({ key, desired, local }): [string, Tried] => {
        return [key, { desired: desired?.digest ?? '', before: local?.digest ?? '', way, tries: 1, atMs: 0 }]
      })
      this.state = { ...this.state, owed, tried: new Map([...this.state.tried, ...begun]) }
    }
  }

  /** An object can be made only when what it needs is there, and go only when nothing needs it. */
  #change({ key, desired }: Change): void {
    if (desired === undefined) {
      const users = [...this.here.keys()].filter((user) => NEEDS[user]?.includes(key) === true)
      expect(users, `${key} goes`).toEqual([])
      this.here.delete(key)
      return
    }
    const missing = desired.needs.filter((need) => !this.here.has(need))
    expect(missing, `${key} is made`).toEqual([])
    this.here.set(key, desired.digest)
  }
}

/** Some of the objects, each with all that it needs. */
const catalogs = fc
  .record(Object.fromEntries(Object.keys(NEEDS).map((key) => [key, fc.constantFrom('', '1', '2')])))
  .map((drawn) => {
    const digests: Record<string, string> = {}
    const add = (key: string): void => {
      if (digests[key] !== undefined) return
      digests[key] = drawn[key] === '' || drawn[key] === undefined ? '1' : drawn[key]
      NEEDS[key]?.forEach(add)
    }
    for (const [key, digest] of Object.entries(drawn)) if (digest !== '') add(key)
    return digests
  })

const ROUNDS = 12

describe('whatever a node has and whatever is released', () => {
  test('what is planned makes the node equal to the release, in an order in which it can be made, and then nothing is planned', () => {
    const crashes = fc.integer({ min: 0, max: 40 })
    fc.assert(
      fc.property(catalogs, catalogs, crashes, fc.boolean(), (before, desired, crash, isMany) => {
        const node = new Model(before, met(before))
        const prepared = preparedOf(desired)
        const options = isMany ? { ...OPTIONS, reloadAbove: 1 } : OPTIONS
        let left = crash
        for (let round = 0; round < ROUNDS; round++) {
          for (const step of plan(prepared, node.actual(), options)) {
            // The agent dies, once, and looks anew.
            if (left-- === 0) break
            node.run(step)
          }
        }
        expect(Object.fromEntries(node.here)).toEqual(desired)
        expect(plan(prepared, node.actual(), options)).toEqual([])
        const { state, items } = report(prepared, node.actual(), options)
        const isEmpty = Object.keys(desired).length === 0
        expect(state).toBe('in-step')
        expect(Object.keys(items).toSorted()).toEqual(Object.keys(desired).toSorted())
        expect(node.state.served).toBe(isEmpty ? 0 : 2)
        expect(node.state.tried.size).toBe(0)
        expect(Object.fromEntries(node.state.base)).toEqual(desired)
      }),
      { numRuns: 400 },
    )
  })

  test('nothing but a record is planned where both are equal', () => {
    fc.assert(
      fc.property(catalogs, (same) => {
        const steps = plan(preparedOf(same), actualOf(same, met({})), OPTIONS)
        expect(steps.filter(({ step }) => step !== 'record')).toEqual([])
      }),
    )
  })

  test('nothing that nobody released is overwritten or deleted without being kept', () => {
    fc.assert(
      fc.property(catalogs, catalogs, catalogs, (base, here, desired) => {
        const steps = plan(preparedOf(desired), actualOf(here, met(base, { applied: 2, served: 2 })), OPTIONS)
        for (const step of steps) {
          if (step.step !== 'begin') continue
          const keeps = new Set(step.work.keeps.map(({ key }) => key))
          for (const { key, local } of step.work.changes) {
            if (local !== undefined && local.digest !== base[key]) expect(keeps.has(key), key).toBe(true)
          }
        }
      }),
    )
  })
})

describe('a plan', () => {
  const one = { 'workspace/w': '1', 'namespace/w': '1' }
  const two = { 'workspace/w': '2', 'namespace/w': '1' }

  test('holds nothing while GeoServer is down, busy, or refuses the user', () => {
    for (const application of [
      { is: 'down', why: '' },
      { is: 'busy', version: '2.26.2' },
      { is: 'refused', error: { code: 'FORBIDDEN', message: '' } },
    ] as const) {
      expect(plan(preparedOf(two), actualOf(one, met(one), { application }), OPTIONS)).toEqual([])
    }
  })

  test('notes what it is about to do before it does anything', () => {
    const steps = plan(preparedOf(two), actualOf(one, met(one, { applied: 1 })), OPTIONS)
    expect(steps.map(({ step }) => step)).toEqual(['begin', 'change', 'settle'])
  })

  test('begins with a meeting, and with nothing else', () => {
    const steps = plan(preparedOf(two), actualOf(one, EMPTY_STATE), OPTIONS)
    expect(steps.map(({ step }) => step)).toEqual(['meet'])
  })

  test('goes on after a refusal when its time has come, and later each time', () => {
    const problem = { message: 'no', hint: '' }
    const refused = (tries: number, agoMs: number) => {
      const tried = new Map([
        ['workspace/w', { desired: '2', before: '1', way: 'live' as const, tries, atMs: 100_000 - agoMs, problem }],
      ])
      const actual = actualOf(one, met(one, { applied: 1, tried }), { nowMs: 100_000, agrees: new Map() })
      return plan(preparedOf(two), actual, OPTIONS).length > 0
    }
    expect([refused(1, 4999), refused(1, 5000)]).toEqual([false, true])
    expect([refused(2, 29_999), refused(2, 30_000)]).toEqual([false, true])
    // Somebody set the clock back.
    expect(refused(2, -1)).toBe(true)
  })

  test('asks for a reload when REST took it and the file is still another one', () => {
    const tried = new Map([
      ['workspace/w', { desired: '2', before: '1', left: '1', way: 'live' as const, tries: 1, atMs: 0, done: true }],
    ])
    const state = met(one, { applied: 1, tried })
    const steps = plan(preparedOf(two), actualOf(one, state, { agrees: new Map() }), OPTIONS)
    expect(steps.map(({ step }) => step)).toEqual(['begin', 'reload', 'settle'])
    const waits = actualOf(one, state, { agrees: new Map(), traffic: 'open' })
    expect(plan(preparedOf(two), waits, OPTIONS)).toEqual([])
    expect(report(preparedOf(two), waits, OPTIONS)).toMatchObject({
      state: 'pending',
      warnings: [{ code: 'CATALOG_RELOAD' }],
    })
  })

  test('says what to do where GeoServer still has what a release took away after it had been refused', () => {
    const problem = { message: 'disk full', hint: '' }
    const tried = new Map([
      ['style/w:s', { desired: '2', before: '', way: 'live' as const, tries: 1, atMs: 0, done: true, problem }],
    ])
    const node = new Model(one, met(one, { applied: 1, tried }))
    const actual = (): Actual => ({ ...node.actual(), agrees: new Map([['style/w:s', false]]) })
    for (const step of plan(preparedOf(one), actual(), OPTIONS)) node.run(step)
    expect(plan(preparedOf(one), actual(), OPTIONS)).toEqual([])
    expect(report(preparedOf(one), actual(), OPTIONS)).toMatchObject({
      state: 'failed',
      items: {
        'style/w:s': { state: 'failed', problem: { message: 'its file is gone, but GeoServer still has it' } },
      },
    })
    for (const step of plan(preparedOf(one), node.actual(), OPTIONS)) node.run(step)
    expect(report(preparedOf(one), node.actual(), OPTIONS).state).toBe('in-step')
  })

  test('has the tiles of what uses a graphic deleted, through styles and groups', () => {
    const digests = Object.fromEntries(Object.keys(NEEDS).map((key) => [key, '1']))
    const changed = { ...digests, 'file/workspaces/w/styles/i.svg': '2' }
    const [begin] = plan(preparedOf(changed), actualOf(digests, met(digests, { applied: 1, served: 1 })), OPTIONS)
    expect(begin).toMatchObject({
      step: 'begin',
      work: { owed: { reset: true, truncate: ['a', 'w:inner', 'w:t'], reload: false } },
    })
  })
})
