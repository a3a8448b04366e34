import { expect, test } from 'vitest'
import { rolloutWith, TREE, worldWith, type WorldParts } from '../../../test/helpers/rollout.ts'
import type { Rollout } from '../rollout.ts'
import { isDrainInForce, troubleOfProxies, whyNotDrained } from './proxies.ts'
import { strategyOf } from './strategy.ts'
import { Timers } from './timers.ts'

const NODES = { erd1: {}, erd2: {} }
/** Written by revision 5, as everything is. */
const DRAINS = { [`erd1/rollout-${TREE}`]: { tree: TREE, by: 'rollout r2', reason: '', atMs: 0 } }

/** Whether the drain of erd1 is in force so long after it was first found to be everywhere. */
function inForce(parts: Partial<WorldParts>, more: Partial<Rollout> = {}, afterMs = 60_000): boolean {
  const rollout = rolloutWith({ erd1: 'draining', erd2: 'waiting' }, more)
  const world = worldWith({ nodes: NODES, drains: DRAINS, ...parts })
  const stamp = { atMs: 0, revision: 10 }
  const first = new Timers({ wallMs: 0, monotonicMs: 0, held: new Map() })
  isDrainInForce(rollout, 'erd1', { world, timers: first, stamp })
  const timers = new Timers({ wallMs: 0, monotonicMs: afterMs, held: first.held })
  return isDrainInForce(rollout, 'erd1', { world, timers, stamp })
}

test('a drain is in force when every proxy has taken over a revision that is not before it', () => {
  expect(inForce({ proxies: { edge1: { asOf: 5 }, edge2: { asOf: 9 } } })).toBe(true)
  expect(inForce({ proxies: { edge1: { asOf: 4 }, edge2: { asOf: 9 } } })).toBe(false)
  expect(inForce({ proxies: {} })).toBe(true)
})

test('a proxy that has failed or is lost confirms nothing, whatever it has said before', () => {
  expect(inForce({ proxies: { edge1: { asOf: 9, state: 'failed' } } })).toBe(false)
  expect(inForce({ proxies: { edge1: { asOf: 9 } }, lost: ['edge1'] })).toBe(false)
  expect(inForce({ proxies: { edge1: { asOf: 'soon' as unknown as number } } })).toBe(false)
})

test('one that is not written yet is not in force, unless none is needed any more', () => {
  expect(inForce({ drains: {} })).toBe(false)
  expect(inForce({ drains: {}, proxies: {} }, { effects: { a: 'soft' } })).toBe(true)
})

test('requests that are under way have their time, where the change unloads something', () => {
  const proxies = { edge1: { asOf: 9 } }
  const strategy = strategyOf({ drainMs: 2000 })
  expect(inForce({ proxies }, { strategy }, 1999)).toBe(false)
  expect(inForce({ proxies }, { strategy }, 2000)).toBe(true)
  expect(inForce({ proxies }, { strategy, effects: { a: 'soft' } }, 0)).toBe(true)
  expect(
    inForce({ proxies }, { strategy: strategyOf({ drainMs: 2000, drain: 'always' }), effects: { a: 'soft' } }, 0),
  ).toBe(false)
})

test('who is in the way is named', () => {
  const failed = worldWith({ nodes: NODES, drains: DRAINS, proxies: { edge1: { state: 'failed', error: 'bad file' } } })
  expect(troubleOfProxies(failed)?.message).toContain('the proxy nginx on edge1 failed: bad file')
  const lost = worldWith({ nodes: NODES, drains: DRAINS, proxies: { edge1: {} }, lost: ['edge1'] })
  expect(troubleOfProxies(lost)?.message).toContain('the proxy nginx on edge1 is lost')
  const late = worldWith({ nodes: NODES, drains: DRAINS, proxies: { edge1: { asOf: 9 }, edge2: { asOf: 4 } } })
  expect(troubleOfProxies(late)).toBeUndefined()
  expect(whyNotDrained(late, 'erd1').message).toBe(
    'the proxy nginx on edge2 has not taken over in time that erd1 is drained',
  )
})
