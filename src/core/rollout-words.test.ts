import { describe, expect, test } from 'vitest'
import { outcomeText, reasonText, rolloutSummary, subjectOf, viewOf } from './rollout-words.ts'
import { DEFAULT_STRATEGY, type Phase, type Rollout, type RolloutReason } from './rollout.ts'

function rollout(phases: readonly Phase[], more: Partial<Rollout> = {}): Rollout {
  const order = phases.map((_, index) => `erd${index + 1}`)
  return {
    tree: 't',
    release: 12,
    manifest: '',
    from: { release: 11, manifest: '' },
    effects: { x: 'soft', y: 'hard', z: 'soft' },
    strategy: DEFAULT_STRATEGY,
    state: 'running',
    exposed: false,
    order,
    nodes: Object.fromEntries(
      order.map((node, index) => [node, { phase: phases[index] ?? 'waiting', sinceMs: 0, revision: 1 }]),
    ),
    author: 'anna',
    startedAtMs: 5,
    ...more,
  }
}

const REASON: RolloutReason = {
  code: 'LOAD_FAILED',
  message: 'no files',
  node: 'erd1',
  item: 'x',
  file: 'a.xml',
  line: 7,
}

describe('a rollout in one sentence', () => {
  test.for([
    [rollout(['waiting', 'waiting']), 'ROLLING OUT r12, 0/2 nodes prove it'],
    [rollout(['proved', 'applying']), 'ROLLING OUT r12, 1/2 nodes prove it; erd2 takes it up'],
    [rollout(['done', 'done'], { state: 'done' }), 'ROLLED OUT r12'],
    [
      rollout(['proved', 'waiting'], { state: 'paused', reason: { code: 'PAUSED', message: 'paused by ben' } }),
      'PAUSED r12, 1/2 nodes prove it; paused by ben',
    ],
    [
      rollout(['reverting', 'waiting'], { state: 'reverting', reason: REASON }),
      'TAKING BACK r12; erd1 goes back; node erd1, x, a.xml:7: no files',
    ],
    [
      rollout(['reverted'], { state: 'rolled-back', reason: REASON }),
      'TAKEN BACK r12: node erd1, x, a.xml:7: no files',
    ],
    [rollout([], { state: 'aborted', reason: { code: 'ABORTED', message: 'aborted by ben' } }), 'ABORTED r12 by ben'],
  ] as const)('%#: $1', ([given, words]) => {
    expect(rolloutSummary(given)).toBe(words)
  })

  test('names the first nodes that are busy, not fifty', () => {
    const words = rolloutSummary(rollout(Array.from({ length: 50 }, () => 'applying' as const)))
    expect(words.match(/takes it up/g)).toHaveLength(3)
  })
})

test('what goes out is a release, or what is to be done once more', () => {
  const request = { kind: 'reload', item: 'x', flag: 'hard', author: 'a', atMs: 0 } as const
  expect(subjectOf({ release: 12 })).toBe('r12')
  expect(subjectOf({ release: 12, requests: [request] })).toBe('hard reload of x')
  expect(subjectOf({ release: 12, requests: [{ ...request, item: '*' }] })).toBe('hard reload of every dataset')
  expect(subjectOf({ release: 12, requests: [request, request] })).toBe('hard reload of x and 1 more')
})

test('a reason names what is known of its place', () => {
  expect(reasonText(REASON)).toBe('node erd1, x, a.xml:7: no files')
  expect(reasonText({ code: 'X', message: 'm', node: 'erd1' })).toBe('node erd1: m')
  expect(reasonText({ code: 'X', message: 'm', file: '' })).toBe('m')
})

test('the outcome of a release that is not served', () => {
  expect(outcomeText({ state: 'running', atMs: 0 })).toBe('on its way')
  expect(outcomeText({ state: 'rolled-back', atMs: 0, reason: REASON })).toContain('taken back: node erd1')
  expect(outcomeText({ state: 'aborted', atMs: 0, reason: { code: 'ABORTED', message: 'aborted by ben' } })).toBe(
    'aborted by ben',
  )
})

test('a view counts effects, and does not list them', () => {
  const view = viewOf(rollout(['waiting']))
  expect(view.counts).toEqual({ added: 0, removed: 0, soft: 2, hard: 1 })
  expect(view).not.toHaveProperty('effects')
})
