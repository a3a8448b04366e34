import { expect, test } from 'vitest'
import { report, rolloutWith, worldWith } from '../../../test/helpers/rollout.ts'
import type { RolloutReason, Strategy } from '../rollout.ts'
import type { NodeTarget } from '../target.ts'
import { strategyOf } from './strategy.ts'
import { verdictOf } from './gate.ts'

const PIN = { release: 2, manifest: 'm2', by: 'rollout r2' }
const SERVED = { staged: 2, applied: 2, served: 2, asOf: 5 }
const failed = (file?: string) => ({
  state: 'failed' as const,
  problem: { severity: 'error' as const, code: 'LOAD_FAILED' as const, file: file ?? '', line: 7, message: 'no files' },
})

function judge(target: Partial<NodeTarget>, strategy: Partial<Strategy> = {}, failedBefore: readonly string[] = []) {
  const nodes = { erd1: { phase: 'applying' as const, sinceMs: 0, revision: 1, failedBefore } }
  const rollout = rolloutWith({ erd1: 'applying' }, { strategy: strategyOf(strategy), nodes })
  const verdict = verdictOf(rollout, 2, 'erd1', worldWith({ nodes: { erd1: target }, pins: { erd1: PIN } }))
  return verdict.is === 'failed' ? verdict.reason : verdict.is
}

const REASON: RolloutReason = {
  code: 'LOAD_FAILED',
  message: 'no files',
  node: 'erd1',
  item: 'a',
  file: 'a.xml',
  line: 7,
}
const BROKEN = { ...SERVED, served: 1, state: 'failed' as const, troubled: { a: failed('a.xml') } }

test.for([
  ['serves it', SERVED, 'proved'],
  ['serves it, and said so before it was told', { ...SERVED, asOf: 4 }, 'pending'],
  ['does not say of when its report is', { ...SERVED, asOf: undefined }, 'pending'],
  ['still serves the release before', { asOf: 5 }, 'pending'],
  ['loads', { ...SERVED, served: 1, state: 'pending' as const }, 'pending'],
  ['has an application that is down', { ...SERVED, served: 0, state: 'unproved' as const }, 'pending'],
  ['cannot reach its hub', failing('UNREACHABLE'), 'pending'],
  ['has a fault that nobody knows', failing('INTERNAL'), 'pending'],
  [
    'cannot build its configuration',
    failing('PREPARE_FAILED'),
    { code: 'PREPARE_FAILED', message: 'why', node: 'erd1' },
  ],
  ['cannot load an item', BROKEN, REASON],
  ['cannot load an item while others load', { ...BROKEN, state: 'pending' as const }, REASON],
  ['has an item failed of what it served before', { ...BROKEN, applied: 1 }, 'pending'],
] as const)('a node that %s', ([, target, expected]) => {
  expect(judge(target as Partial<NodeTarget>)).toEqual(expected)
})

function failing(code: 'UNREACHABLE' | 'INTERNAL' | 'PREPARE_FAILED'): Partial<NodeTarget> {
  return { asOf: 5, state: 'failed', error: { code, message: 'why' } }
}

test('as many items may be failed as the strategy allows', () => {
  expect(judge(BROKEN, { failedMax: 1 })).toBe('proved')
  expect(judge({ ...BROKEN, state: 'pending' }, { failedMax: 1 })).toBe('pending')
  expect(judge({ ...BROKEN, troubled: { a: failed('a.xml'), b: failed() } }, { failedMax: 1 })).toEqual(REASON)
})

test('an item that was failed before the node was touched is no fault of the release', () => {
  expect(judge(BROKEN, {}, ['a'])).toBe('proved')
  expect(judge({ ...BROKEN, troubled: { b: failed(), a: failed('a.xml') } }, {}, ['b'])).toEqual(REASON)
})

test('a node that is lost, or that somebody has pinned to something else, proves nothing', () => {
  const rollout = rolloutWith({ erd1: 'applying' })
  const nodes = { erd1: report(SERVED) }
  expect(verdictOf(rollout, 2, 'erd1', worldWith({ nodes, pins: { erd1: PIN }, lost: ['erd1'] })).is).toBe('pending')
  expect(verdictOf(rollout, 2, 'erd1', worldWith({ nodes, pins: { erd1: { ...PIN, release: 3 } } })).is).toBe('pending')
  expect(verdictOf(rollout, 2, 'erd1', worldWith({ nodes })).is).toBe('pending')
})
