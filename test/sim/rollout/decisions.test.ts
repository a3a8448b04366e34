import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { report, rolloutWith, TREE } from '../../helpers/rollout.ts'
import { keys } from '../../../src/core/keys.ts'
import type { Phase, Rollout, RolloutState } from '../../../src/core/rollout.ts'
import type { Entry } from '../../../src/core/store.ts'
import type { NodeTarget } from '../../../src/core/target.ts'
import { type Decision, decide } from '../../../src/core/rollout/decide.ts'
import { strategyOf } from '../../../src/core/rollout/strategy.ts'
import { worldOf } from '../../../src/core/rollout/world.ts'

const PHASES: readonly Phase[] = ['waiting', 'draining', 'applying', 'proved', 'failed', 'reverting', 'reverted']
const HOUR_MS = 3_600_000
const RUNS = process.env['FLOTILLA_SOAK'] === '1' ? 20_000 : 1000

const target: fc.Arbitrary<Partial<NodeTarget>> = fc.record({
  state: fc.constantFrom('in-step', 'pending', 'unproved', 'failed'),
  applied: fc.constantFrom(1, 2),
  served: fc.constantFrom(0, 1, 2),
  asOf: fc.integer({ min: 0, max: 400 }),
  troubled: fc.constantFrom({}, { a: { state: 'failed' as const } }, { b: { state: 'loading' as const } }),
})
const node = fc.record({ phase: fc.constantFrom(...PHASES), target, isLost: fc.boolean() })
const state: fc.Arbitrary<RolloutState> = fc.constantFrom('running', 'running', 'paused', 'reverting')
const scene = fc.record({
  nodes: fc.array(node, { minLength: 1, maxLength: 5 }),
  state,
  exposed: fc.boolean(),
  proxies: fc.array(fc.record({ asOf: fc.integer({ min: 0, max: 400 }), isLost: fc.boolean() }), { maxLength: 2 }),
  maxUnavailable: fc.integer({ min: 1, max: 3 }),
  isReload: fc.boolean(),
  elapsedMs: fc.constantFrom(0, HOUR_MS),
})

/** A store of nothing but what a rollout looks at. */
function storeOf({
  nodes,
  proxies,
  ...more
}: typeof scene extends fc.Arbitrary<infer T> ? T : never): Map<string, Entry> {
  const names = nodes.map((_, index) => `erd${index + 1}`)
  const phases = Object.fromEntries(nodes.map(({ phase }, index) => [names[index] ?? '', phase]))
  const requests = more.isReload && {
    requests: [{ kind: 'reload', item: 'a', author: 'ann', atMs: 0 }] as const,
    release: 1,
  }
  const strategy = strategyOf({ maxUnavailable: more.maxUnavailable, soakMs: 1000 })
  const rollout = rolloutWith(phases, {
    state: more.state,
    exposed: more.exposed && !more.isReload,
    strategy,
    ...requests,
  })
  const values: [string, unknown][] = [
    [keys.rollout(TREE), rollout],
    [keys.desired(TREE), rollout.from],
  ]
  for (const [index, each] of nodes.entries()) {
    const name = names[index] ?? ''
    values.push([keys.target(name, TREE), report(each.target)])
    if (!each.isLost) values.push([keys.alive(name), {}])
  }
  for (const [index, { asOf, isLost }] of proxies.entries()) {
    values.push([keys.proxy(`edge${index}`, 'nginx'), { kind: 'nginx', state: 'in-step', asOf, atMs: 0 }])
    if (!isLost) values.push([keys.alive(`edge${index}`), {}])
  }
  return new Map(values.map(([key, value], index) => [key, { key, value: JSON.stringify(value), revision: index + 1 }]))
}

function commit(store: Map<string, Entry>, { changes }: Decision, revision: number): void {
  for (const change of changes) {
    if (change.op === 'put') store.set(change.key, { key: change.key, value: change.value, revision })
    else store.delete(change.key)
  }
}

describe('whatever the store holds', { timeout: 300_000 }, () => {
  test('decisions come to rest, and each writes nothing but the rollout, its pins and its drains', () => {
    fc.assert(
      fc.property(scene, (given) => {
        const store = storeOf(given)
        let held: ReadonlyMap<string, number> = new Map()
        let revision = 300
        for (let step = 0; step < 60; step++) {
          const rollout = JSON.parse(store.get(keys.rollout(TREE))?.value ?? '') as Rollout
          if (!['running', 'paused', 'reverting'].includes(rollout.state)) return
          const monotonicMs = step === 0 ? 0 : given.elapsedMs
          const decision = decide(rollout, worldOf(TREE, store.values(), revision), { wallMs: 0, monotonicMs, held })
          held = decision.held
          if (step > 0 && decision.changes.length === 0) return
          for (const { key } of decision.changes) {
            expect(key).toMatch(/^(?:rollout\/datasets|desired\/datasets(?:\/erd\d)?|drain\/erd\d\/rollout-datasets)$/)
          }
          commit(store, decision, (revision += 1))
        }
        expect.fail('it goes on for ever')
      }),
      { numRuns: RUNS },
    )
  })

  test('an end leaves neither pin nor drain, and the release is desired exactly when it is done', () => {
    fc.assert(
      fc.property(scene, (given) => {
        const store = storeOf(given)
        let held: ReadonlyMap<string, number> = new Map()
        for (let step = 0; step < 60; step++) {
          const rollout = JSON.parse(store.get(keys.rollout(TREE))?.value ?? '') as Rollout
          if (!['running', 'paused', 'reverting'].includes(rollout.state)) {
            const left = [...store.keys()].filter((key) => key.startsWith('drain/') || key.startsWith(keys.pins(TREE)))
            const desired = JSON.parse(store.get(keys.desired(TREE))?.value ?? '') as Rollout
            expect({ left, desired: desired.release }).toEqual({
              left: [],
              desired: rollout.state === 'done' ? rollout.release : 1,
            })
            return
          }
          const moment = { wallMs: 0, monotonicMs: step * HOUR_MS, held }
          const decision = decide(rollout, worldOf(TREE, store.values(), 300 + step), moment)
          held = decision.held
          commit(store, decision, 301 + step)
        }
      }),
      { numRuns: RUNS },
    )
  })
})
