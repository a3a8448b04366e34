import { describe, expect, test } from 'vitest'
import { rolloutWith, worldWith, type WorldParts } from '../../../test/helpers/rollout.ts'
import type { Phase, Rollout } from '../rollout.ts'
import { choose } from './budget.ts'
import { strategyOf } from './strategy.ts'

const LOADING = { state: 'pending' as const, troubled: { a: { state: 'loading' as const } } }
const DRAIN = { tree: 'datasets', by: 'ann', reason: '', atMs: 0 }

interface Case {
  readonly phases: Readonly<Record<string, Phase>>
  readonly world?: Partial<WorldParts>
  readonly max?: number
  readonly more?: Partial<Rollout>
}

function chosen({ phases, world = {}, max = 1, more = {} }: Case): readonly string[] {
  const nodes = Object.fromEntries(Object.keys(phases).map((node) => [node, {}]))
  const rollout = rolloutWith(phases, { strategy: strategyOf({ maxUnavailable: max }), ...more })
  const waiting = Object.keys(phases).filter((node) => phases[node] === 'waiting' || phases[node] === 'proved')
  return choose(rollout, worldWith({ nodes, ...world }), waiting, { size: 10 }).chosen
}

const WAITING = { erd1: 'waiting', erd2: 'waiting', erd3: 'waiting' } as const

describe('taken out of service at the same time', () => {
  test('are as many nodes as the strategy allows, in their order', () => {
    expect(chosen({ phases: WAITING })).toEqual(['erd1'])
    expect(chosen({ phases: WAITING, max: 2 })).toEqual(['erd1', 'erd2'])
  })

  test.for(['draining', 'applying', 'reverting'] as const)('is none besides one that is %s', (phase) => {
    expect(chosen({ phases: { ...WAITING, erd1: phase } })).toEqual([])
  })

  test('is another one besides one that has proved it, though clients may not be sent there', () => {
    expect(chosen({ phases: { erd1: 'done', erd2: 'waiting' } })).toEqual(['erd2'])
  })

  test('is none besides one that is lost, or whose application is down', () => {
    expect(chosen({ phases: { erd1: 'done', erd2: 'waiting' }, world: { lost: ['erd1'] } })).toEqual([])
    const nodes = { erd1: { state: 'unproved' as const }, erd2: {} }
    expect(chosen({ phases: { erd1: 'done', erd2: 'waiting' }, world: { nodes } })).toEqual([])
  })

  test('is none besides one that a person has drained, but that one itself', () => {
    expect(chosen({ phases: WAITING, world: { drains: { 'erd2/manual': DRAIN } } })).toEqual(['erd2'])
  })

  test('is a node where the item is out of service already, before one where it is served', () => {
    const nodes = { erd1: {}, erd2: LOADING, erd3: {} }
    expect(chosen({ phases: WAITING, world: { nodes } })).toEqual(['erd2'])
  })

  test('is one after the other where the item is served nowhere: that is what the change is to mend', () => {
    const nodes = { erd1: LOADING, erd2: LOADING, erd3: LOADING }
    expect(chosen({ phases: WAITING, world: { nodes } })).toEqual(['erd1'])
  })

  test('does not depend on items that the change does not touch, or that it brings or takes away', () => {
    const nodes = { erd1: {}, erd2: LOADING, erd3: {} }
    for (const effects of [{ b: 'soft' }, { a: 'added' }, { a: 'removed' }] as const) {
      expect(chosen({ phases: WAITING, world: { nodes }, more: { effects } })).toEqual(['erd1'])
    }
  })

  test('does not depend on items of another tree that are drained', () => {
    const drain = { ...DRAIN, tree: 'other', items: ['a'] }
    expect(chosen({ phases: WAITING, world: { drains: { 'erd2/manual': drain } } })).toEqual(['erd1'])
    const ours = { ...DRAIN, items: ['a'] }
    expect(chosen({ phases: WAITING, world: { drains: { 'erd2/manual': ours } } })).toEqual(['erd2'])
  })

  test('on the way back does not depend on items: what is desired may be what they are failed with', () => {
    const nodes = { erd1: LOADING, erd2: {} }
    const more = { state: 'reverting' as const }
    expect(chosen({ phases: { erd1: 'reverted', erd2: 'proved' }, world: { nodes }, more })).toEqual(['erd2'])
  })
})

test('why nobody may be: who is out of service, and what', () => {
  const nodes = { erd1: {}, erd2: LOADING, erd3: {} }
  const rollout = rolloutWith({ erd1: 'waiting', erd2: 'waiting', erd3: 'waiting' })
  expect(choose(rollout, worldWith({ nodes }), ['erd1'], { size: 1 }).blocked).toEqual({
    code: 'UNAVAILABLE',
    message: 'is out of service for a, and at most 1 node may be at a time',
    node: 'erd2',
    item: 'a',
  })
})
