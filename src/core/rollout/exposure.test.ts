import { expect, test } from 'vitest'
import { rolloutWith, TREE, worldWith, type WorldParts } from '../../../test/helpers/rollout.ts'
import type { Phase, Rollout } from '../rollout.ts'
import type { NodeTarget } from '../target.ts'
import { exposure } from './exposure.ts'
import { Timers } from './timers.ts'

const NEW: Partial<NodeTarget> = { staged: 2, applied: 2, served: 2, asOf: 9 }
const DOWN: Partial<NodeTarget> = { state: 'unproved' }
const BY_HAND = { tree: TREE, by: 'ann', reason: '', atMs: 0 }
const BACK = { state: 'reverting', exposed: true } as const

/** Whether clients see the release then. Nodes that proved it report that they serve it. */
function exposed(
  phases: Readonly<Record<string, Phase>>,
  more: Partial<Rollout> = {},
  { nodes = {}, ...parts }: Partial<WorldParts> = {},
): boolean {
  const rollout = rolloutWith(phases, more)
  const told = Object.entries(phases).map(([node, phase]) => [node, phase === 'proved' ? NEW : {}])
  const pins = Object.fromEntries(Object.keys(phases).map((node) => [node, { release: 2, manifest: 'm2', by: 'x' }]))
  const world = worldWith({ nodes: { ...Object.fromEntries(told), ...nodes }, pins, ...parts })
  const timers = new Timers({ wallMs: 0, monotonicMs: 0, held: new Map() })
  return exposure(rollout, { world, timers, stamp: { atMs: 0, revision: 10 } }).exposed
}

test('clients see a release once half of the nodes prove it', () => {
  const others = { erd3: 'waiting', erd4: 'waiting', erd5: 'waiting', erd6: 'waiting' } as const
  expect(exposed({ erd1: 'proved', erd2: 'proved', ...others })).toBe(false)
  expect(exposed({ erd1: 'proved', erd2: 'proved', ...others, erd3: 'proved' })).toBe(true)
  expect(exposed({ erd1: 'proved', erd2: 'waiting', erd3: 'waiting' })).toBe(false)
  expect(exposed({ erd1: 'proved', erd2: 'proved', erd3: 'waiting' })).toBe(true)
  expect(exposed({ erd1: 'proved', erd2: 'waiting' })).toBe(true)
  expect(exposed({ erd1: 'applying', erd2: 'waiting' })).toBe(false)
})

test('one that proved it counts only while it does', () => {
  const phases = { erd1: 'proved', erd2: 'proved', erd3: 'waiting' } as const
  expect(exposed(phases, {}, { nodes: { erd2: { ...NEW, state: 'unproved' } } })).toBe(false)
  expect(exposed(phases, {}, { lost: ['erd2'] })).toBe(false)
})

test('one that a person has drained counts neither as new nor as old: no client is sent there', () => {
  const drains = { 'erd1/manual': BY_HAND }
  expect(exposed({ erd1: 'proved', erd2: 'waiting' }, {}, { drains })).toBe(false)
  expect(exposed({ erd1: 'waiting', erd2: 'proved', erd3: 'draining' }, {}, { drains })).toBe(true)
  const other = { 'erd1/manual': { ...BY_HAND, items: ['untouched'] } }
  expect(exposed({ erd1: 'proved', erd2: 'waiting' }, {}, { drains: other })).toBe(true)
})

test('at once where nobody is left who may serve the old one', () => {
  const phases = { erd1: 'proved', erd2: 'draining', erd3: 'waiting', erd4: 'waiting' } as const
  expect(exposed(phases, {}, { lost: ['erd3'] })).toBe(false)
  expect(exposed(phases, {}, { lost: ['erd3', 'erd4'] })).toBe(true)
  expect(exposed(phases, {}, { lost: ['erd3'], nodes: { erd4: DOWN } })).toBe(true)
})

test('not while it is paused, unless nobody is left who may serve the old one', () => {
  expect(exposed({ erd1: 'proved', erd2: 'proved', erd3: 'waiting' }, { state: 'paused' })).toBe(false)
  expect(exposed({ erd1: 'proved', erd2: 'waiting' }, { state: 'paused' }, { lost: ['erd2'] })).toBe(true)
})

test('on the way back, clients see the old one once as many serve it, or nobody is left who may serve the new one', () => {
  expect(exposed({ erd1: 'proved', erd2: 'proved', erd3: 'waiting', erd4: 'waiting' }, BACK)).toBe(false)
  expect(exposed({ erd1: 'proved', erd2: 'proved', erd3: 'reverted' }, BACK)).toBe(true)
  expect(exposed({ erd1: 'proved', erd2: 'reverting', erd3: 'waiting' }, BACK, { lost: ['erd1'] })).toBe(false)
  expect(exposed({ erd1: 'proved', erd2: 'reverting', erd3: 'reverting' }, BACK)).toBe(true)
})

test('what asks for no other content has nothing to show', () => {
  const requests = [{ kind: 'reload', item: 'a', author: 'ann', atMs: 0 }] as const
  expect(exposed({ erd1: 'proved', erd2: 'proved' }, { requests })).toBe(false)
})
