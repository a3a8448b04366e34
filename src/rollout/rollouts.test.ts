import { beforeEach, describe, expect, test } from 'vitest'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { isError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import { strategyOf } from '../core/rollout/strategy.ts'
import type { Rollout } from '../core/rollout.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { Rollouts } from './rollouts.ts'
import type { StartRequest } from './start.ts'

const TREE = 'datasets'

let clock: VirtualClock
let store: MemoryStore
let rollouts: Rollouts

beforeEach(() => {
  clock = new VirtualClock()
  store = new MemoryStore({ clock })
  rollouts = new Rollouts({ store, clock })
})

async function put(key: string, value: unknown): Promise<number> {
  const commit = await store.commit({ changes: [{ op: 'put', key, value: JSON.stringify(value) }] })
  return commit.committed ? commit.revision : 0
}

/** A cluster that serves r1, and what takes r2 to it. */
async function request(more: Partial<StartRequest> = {}): Promise<StartRequest> {
  const from = { release: 1, manifest: 'm1' }
  const revision = await put(keys.desired(TREE), from)
  for (const node of ['erd2', 'erd1']) {
    await put(keys.joined(node), {})
    await put(keys.alive(node), {})
    await put(keys.target(node, TREE), { state: 'in-step', applied: 1, served: 1, troubled: {}, progress: {} })
  }
  return {
    tree: TREE,
    release: { release: 2, manifest: 'm2' },
    from: { ...from, revision },
    effects: { a: 'hard' },
    strategy: strategyOf(),
    author: 'ann',
    ...more,
  }
}

async function codeOf(act: Promise<unknown>): Promise<string> {
  try {
    await act
    return 'fine'
  } catch (error) {
    return isError(error) ? error.code : String(error)
  }
}

async function end(state: Rollout['state']): Promise<void> {
  const found = await rollouts.get(TREE)
  await put(keys.rollout(TREE), {
    ...found?.rollout,
    state,
    endedAtMs: 9,
    reason: { code: 'LOAD_FAILED', message: 'why' },
  })
}

describe('starting', () => {
  test('makes a rollout of the nodes that serve the tree, in the order in which they are touched', async () => {
    const start = await request()
    await put(keys.target('other', 'another-tree'), { state: 'in-step' })
    const { rollout, revision } = await rollouts.start(start)
    expect(await rollouts.get(TREE)).toEqual({ rollout, revision })
    expect(rollout).toMatchObject({
      release: 2,
      manifest: 'm2',
      from: { release: 1, manifest: 'm1' },
      state: 'running',
      exposed: false,
      order: ['erd1', 'erd2'],
      author: 'ann',
      startedAtMs: clock.nowMs(),
    })
    expect(await rollouts.idle('another-tree')).toEqual({ key: 'rollout/another-tree', revision: 0 })
  })

  test('can be one commit with the release itself', async () => {
    const { expect: expected, changes } = await rollouts.startTxn(await request())
    const record = { op: 'put', key: keys.release(TREE, 2), value: '{}' } as const
    expect(await store.commit({ expect: expected, changes: [record, ...changes] })).toMatchObject({ committed: true })
    expect((await rollouts.get(TREE))?.rollout.state).toBe('running')
  })

  test('loses against another change of what is desired, and against another rollout', async () => {
    const start = await request()
    await put(keys.desired(TREE), { release: 9, manifest: 'm9' })
    expect(await codeOf(rollouts.start(start))).toBe('LOST_RACE')
    const again = await request()
    const slower = await rollouts.startTxn(again)
    await rollouts.start(again)
    expect(await store.commit({ expect: slower.expect, changes: slower.changes })).toMatchObject({ committed: false })
  })

  test.for(['running', 'paused', 'reverting'] as const)(
    'is refused while another is %s, as is any other change',
    async (state) => {
      await rollouts.start(await request())
      await end(state)
      expect(await codeOf(rollouts.start(await request()))).toBe('ROLLOUT_RUNNING')
      expect(await codeOf(rollouts.idle(TREE))).toBe('ROLLOUT_RUNNING')
    },
  )

  test('keeps why the release before was taken back', async () => {
    await rollouts.start(await request())
    await end('rolled-back')
    await rollouts.start(await request({ release: { release: 3, manifest: 'm3' } }))
    const outcome = await store.get(keys.outcome(TREE, 2))
    expect(JSON.parse(outcome?.value ?? '')).toEqual({
      state: 'rolled-back',
      atMs: 9,
      reason: { code: 'LOAD_FAILED', message: 'why' },
    })
    await end('done')
    await rollouts.start(await request({ release: { release: 4, manifest: 'm4' } }))
    expect(await store.get(keys.outcome(TREE, 3))).toBeUndefined()
  })

  test('is refused where what a wave is told would be more than one commit takes', async () => {
    const ids = Array.from({ length: 4000 }, (_, index) => `a-dataset-with-some-name-${index}`)
    const effects = Object.fromEntries(ids.map((id) => [id, 'hard' as const]))
    const requests = ids.map((item) => ({
      kind: 'reload' as const,
      item,
      flag: 'hard' as const,
      author: 'ann',
      atMs: 0,
    }))
    const twelve = { canary: 1, wave: 12, maxUnavailable: 12 }
    for (let index = 0; index < 12; index++) await put(keys.target(`n${index}`, TREE), {})
    const start = async (strategy: object) =>
      codeOf(request({ effects, requests, strategy: strategyOf(strategy) }).then((it) => rollouts.start(it)))
    expect(await start(twelve)).toBe('TOO_LARGE')
    expect(await start({ ...twelve, wave: 2 })).toBe('fine')
  })

  test('is refused where nothing is desired yet, and for a change that is too large', async () => {
    const start = await request()
    expect(await codeOf(rollouts.start({ ...start, from: { ...start.from, revision: 0 } }))).toBe('BAD_REQUEST')
    const names = Array.from({ length: 40_000 }, (_, index) => [`a-dataset-with-some-name-${index}`, 'soft'])
    expect(await codeOf(rollouts.start(await request({ effects: Object.fromEntries(names) })))).toBe('TOO_LARGE')
    for (let index = 0; index < 301; index++) await put(keys.target(`n${index}`, TREE), {})
    expect(await codeOf(rollouts.start(await request()))).toBe('TOO_LARGE')
  })
})

describe('steering', () => {
  test('is refused where no rollout is under way', async () => {
    expect(await codeOf(rollouts.pause(TREE, 'ann'))).toBe('NOT_FOUND')
    await rollouts.start(await request())
    await end('done')
    for (const act of [rollouts.pause(TREE, 'ann'), rollouts.resume(TREE), rollouts.abort(TREE, 'ann')]) {
      expect(await codeOf(act)).toBe('BAD_REQUEST')
    }
  })

  test('pauses with a name, resumes without a trace, and says again what holds already', async () => {
    const { rollout } = await rollouts.start(await request())
    const paused = await rollouts.pause(TREE, 'ann')
    expect(paused.rollout).toEqual({
      ...rollout,
      state: 'paused',
      reason: { code: 'PAUSED', message: 'paused by ann' },
    })
    expect(await rollouts.pause(TREE, 'bob')).toEqual(paused)
    const resumed = await rollouts.resume(TREE)
    expect(resumed.rollout).toEqual(rollout)
    expect(await rollouts.resume(TREE)).toEqual(resumed)
  })

  test('aborts: what is being drained is let go, what is at it goes back', async () => {
    const { rollout } = await rollouts.start(await request())
    const phases = { erd1: 'applying', erd2: 'draining' } as const
    const nodes = Object.fromEntries(
      Object.entries(phases).map(([node, phase]) => [node, { phase, sinceMs: 0, revision: 0, failedBefore: ['x'] }]),
    )
    await put(keys.rollout(TREE), { ...rollout, nodes })
    const aborted = await rollouts.abort(TREE, 'ann')
    expect(aborted.rollout).toMatchObject({
      state: 'reverting',
      reason: { code: 'ABORTED', message: 'aborted by ann' },
      nodes: { erd1: { phase: 'reverting', failedBefore: ['x'] }, erd2: { phase: 'waiting' } },
    })
    expect(await rollouts.abort(TREE, 'bob')).toEqual(aborted)
    expect(await rollouts.pause(TREE, 'bob')).toEqual(aborted)
  })
})

describe('how a change goes out', () => {
  test('is as asked, over the policy of the tree, over the defaults', async () => {
    expect(await rollouts.strategy(TREE, undefined)).toBeUndefined()
    expect(await rollouts.strategy(TREE, {})).toEqual(strategyOf())
    const policy = await rollouts.setPolicy(TREE, { wave: 3, soakMs: 60_000 }, 'ann')
    expect(policy).toEqual({ strategy: { wave: 3, soakMs: 60_000 }, author: 'ann', atMs: clock.nowMs() })
    expect(await rollouts.policy(TREE)).toEqual(policy)
    expect(await rollouts.strategy(TREE, undefined)).toEqual(strategyOf({ wave: 3, soakMs: 60_000 }))
    expect(await rollouts.strategy(TREE, { wave: 2 })).toEqual(strategyOf({ wave: 2, soakMs: 60_000 }))
    expect(await rollouts.strategy(TREE, 'all-at-once')).toBeUndefined()
    expect(await rollouts.setPolicy(TREE, undefined, 'ann')).toBeUndefined()
    expect(await rollouts.strategy(TREE, undefined)).toBeUndefined()
  })

  test('is refused where it is not possible', async () => {
    expect(await codeOf(rollouts.setPolicy(TREE, { wave: 0 }, 'ann'))).toBe('BAD_REQUEST')
    expect(await codeOf(rollouts.strategy(TREE, { wave: 0 }))).toBe('BAD_REQUEST')
    expect(await rollouts.policy(TREE)).toBeUndefined()
  })
})

describe('draining by hand', () => {
  test('is for nodes that have joined, and replaces what was drained by hand before', async () => {
    expect(await codeOf(rollouts.drain('nobody', { tree: TREE, reason: '', by: 'ann' }))).toBe('NOT_FOUND')
    expect(await codeOf(rollouts.undrain('nobody'))).toBe('NOT_FOUND')
    await put(keys.joined('erd1'), {})
    await rollouts.drain('erd1', { tree: TREE, reason: 'disk', by: 'ann' })
    const { drain, revision } = await rollouts.drain('erd1', { tree: TREE, items: ['a'], reason: 'slow', by: 'bob' })
    expect(drain).toEqual({ tree: TREE, items: ['a'], by: 'bob', reason: 'slow', atMs: clock.nowMs() })
    expect(await store.get(keys.drain('erd1', 'manual'))).toMatchObject({ revision, value: JSON.stringify(drain) })
  })

  test('is refused for what the node does not serve, as far as that is known', async () => {
    const drain = async (...items: string[]): Promise<unknown> =>
      await rollouts.drain('erd1', { tree: TREE, items, reason: '', by: 'ann' })
    await put(keys.joined('erd1'), {})
    await drain('anything')
    await put(keys.datasets('erd1', TREE), { applied: 1, partial: true, items: { coastBuoys: 'served' } })
    await drain('coastBuoy')
    await put(keys.datasets('erd1', TREE), { applied: 1, items: { coastBuoys: 'served', sst: 'inactive' } })
    await drain('sst', 'coastBuoys')
    const { revision } = await store.list('')
    await expect(drain('sst', 'coastBuoy')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: 'erd1 has no dataset "coastBuoy"',
      details: { hint: expect.stringMatching(/^Did you mean "coastBuoys"\? /) as string },
    })
    await put(keys.alive('erd1'), { trees: ['models'] })
    await expect(drain('sst')).rejects.toMatchObject({ code: 'BAD_REQUEST', message: 'erd1 does not serve datasets' })
    await put(keys.alive('erd1'), { trees: [] })
    await expect(rollouts.drain('erd1', { tree: TREE, reason: '', by: 'ann' })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: 'erd1 serves nothing: there is nothing to drain',
    })
    expect((await store.list('')).revision).toBe(revision + 2)
  })

  test('lifting what is not drained writes nothing, and says so', async () => {
    await put(keys.joined('erd1'), {})
    const { revision } = await store.list('')
    expect(await rollouts.undrain('erd1')).toEqual({ revision, unchanged: true })
    expect((await store.list('')).revision).toBe(revision)
    await rollouts.drain('erd1', { tree: TREE, reason: '', by: 'ann' })
    expect(await rollouts.undrain('erd1')).toEqual({ revision: revision + 2 })
  })

  test('is lifted without a trace, while what a rollout drains stays', async () => {
    await put(keys.joined('erd1'), {})
    await put(keys.drain('erd1', `rollout-${TREE}`), {})
    await rollouts.drain('erd1', { tree: TREE, reason: 'disk', by: 'ann' })
    await rollouts.undrain('erd1')
    await rollouts.undrain('erd1')
    const { entries } = await store.list(keys.drains)
    expect(entries.map(({ key }) => key)).toEqual([`drain/erd1/rollout-${TREE}`])
  })
})
