import { describe, expect, test } from 'vitest'
import { rolloutWith, TREE, worldWith } from '../../../test/helpers/rollout.ts'
import type { Phase, Rollout } from '../rollout.ts'
import { drainedItems } from './drains.ts'
import { holdWrites } from './hold.ts'
import { strategyOf } from './strategy.ts'

const RELEASE = { release: 2, manifest: 'm2', by: 'rollout r2' }
const BASE = { release: 1, manifest: 'm1', by: 'rollout r2, going back' }
const DRAIN = { tree: TREE, items: ['a', 'b'], by: 'rollout r2', reason: 'r2 is on its way', atMs: 7 }
const PROXIES = { edge1: {} }

/** What is held for erd1, beside another node that waits. */
function held(phase: Phase, more: Partial<Rollout> = {}): { readonly pin: unknown; readonly isDrained: boolean } {
  const rollout = rolloutWith({ erd1: phase, erd2: 'waiting' }, more)
  const writes = holdWrites(rollout, worldWith({ nodes: { erd1: {}, erd2: {} }, proxies: PROXIES }), 7)
  const valueOf = (key: string): unknown => {
    const write = writes.find((each) => each.key === key)
    return write?.op === 'put' ? JSON.parse(write.value) : undefined
  }
  const drain = valueOf(`drain/erd1/rollout-${TREE}`)
  if (drain !== undefined) expect(drain).toEqual(DRAIN)
  return { pin: valueOf(`desired/${TREE}/erd1`), isDrained: drain !== undefined }
}

describe('what the store holds for a node', () => {
  test.for<readonly [Phase, Partial<Rollout>, unknown, boolean]>([
    ['waiting', {}, undefined, false],
    ['draining', {}, undefined, true],
    ['applying', {}, RELEASE, true],
    ['proved', {}, RELEASE, true],
    ['waiting', { exposed: true }, undefined, true],
    ['draining', { exposed: true }, undefined, true],
    ['applying', { exposed: true }, RELEASE, true],
    ['proved', { exposed: true }, RELEASE, false],
    ['proved', { state: 'paused' }, RELEASE, true],
    ['draining', { state: 'reverting' }, RELEASE, true],
    ['reverting', { state: 'reverting' }, BASE, true],
    ['reverted', { state: 'reverting' }, BASE, false],
    ['failed', { state: 'reverting' }, BASE, true],
    ['reverted', { state: 'reverting', exposed: true }, BASE, true],
    ['proved', { state: 'reverting', exposed: true }, RELEASE, false],
    ['done', { state: 'done', exposed: true }, undefined, false],
    ['failed', { state: 'rolled-back' }, undefined, false],
    ['waiting', { state: 'aborted' }, undefined, false],
  ])('that is %s, with %o', ([phase, more, pin, isDrained]) => {
    expect(held(phase, more)).toEqual({ pin, isDrained })
  })

  test('for something to be done once more: a drain only while it is at it', () => {
    const requests = [{ kind: 'reload', item: 'a', author: 'ann', atMs: 0 }] as const
    const reload = { release: 1, manifest: 'm1', requests, effects: { a: 'hard' } } as const
    const rollout = rolloutWith({ erd1: 'applying', erd2: 'proved', erd3: 'waiting' }, reload)
    const world = worldWith({ nodes: { erd1: {}, erd2: {}, erd3: {} }, proxies: PROXIES })
    const writes = holdWrites(rollout, world, 7)
    expect(writes.map(({ key }) => key)).toEqual([
      `desired/${TREE}/erd1`,
      `desired/${TREE}/erd2`,
      `drain/erd1/rollout-${TREE}`,
    ])
    expect(JSON.stringify(writes)).toContain('soft reload of a')
  })
})

describe('what is written', () => {
  const nodes = { erd1: {}, erd2: {} }
  const rollout = rolloutWith({ erd1: 'applying', erd2: 'waiting' })

  test('is nothing where the store holds it already, whatever the time is', () => {
    const world = worldWith({
      nodes,
      proxies: PROXIES,
      pins: { erd1: RELEASE },
      drains: { [`erd1/rollout-${TREE}`]: DRAIN },
    })
    expect(holdWrites(rollout, world, 99)).toEqual([])
  })

  test('puts right what somebody has changed or removed, and removes what is left of nodes that are gone', () => {
    const world = worldWith({
      nodes,
      proxies: PROXIES,
      pins: { erd1: { ...RELEASE, release: 9 }, gone: RELEASE },
      drains: { [`erd1/rollout-${TREE}`]: { ...DRAIN, items: ['a'] }, [`gone/rollout-${TREE}`]: DRAIN },
    })
    expect(holdWrites(rollout, world, 99)).toEqual([
      { op: 'put', key: `desired/${TREE}/erd1`, value: JSON.stringify(RELEASE) },
      { op: 'delete', key: `desired/${TREE}/gone` },
      { op: 'put', key: `drain/erd1/rollout-${TREE}`, value: JSON.stringify(DRAIN) },
      { op: 'delete', key: `drain/gone/rollout-${TREE}` },
    ])
  })

  test('leaves alone what a person has pinned or drained', () => {
    const pins = { erd2: { ...BASE, by: 'ann' } }
    const drains = { 'erd2/manual': { ...DRAIN, by: 'ann' } }
    const writes = holdWrites(rollout, worldWith({ nodes, proxies: PROXIES, pins, drains }), 7)
    expect(writes.map(({ key }) => key)).toEqual([`desired/${TREE}/erd1`, `drain/erd1/rollout-${TREE}`])
  })

  test('pins with the samples of the strategy', () => {
    const samples = [{ path: '/tabledap/a.csv', status: 200, timeoutMs: 1000 }]
    const sampled = { ...rollout, strategy: strategyOf({ samples }) }
    const [pin] = holdWrites(sampled, worldWith({ nodes }), 7)
    expect(pin).toEqual({ op: 'put', key: `desired/${TREE}/erd1`, value: JSON.stringify({ ...RELEASE, samples }) })
  })
})

describe('drained is', () => {
  const drainOf = (more: Partial<Rollout>, proxies: Readonly<Record<string, object>>): unknown => {
    const rollout = rolloutWith({ erd1: 'applying', erd2: 'waiting' }, more)
    const writes = holdWrites(rollout, worldWith({ nodes: { erd1: {}, erd2: {} }, proxies }), 7)
    const write = writes.find(({ key }) => key.startsWith('drain/'))
    return write?.op === 'put' ? (JSON.parse(write.value) as object) : undefined
  }

  test.for<readonly [string, Partial<Rollout>, Readonly<Record<string, object>>, boolean]>([
    ['a change that unloads, without a proxy', { effects: { a: 'hard' } }, {}, true],
    ['a change that unloads nothing, without a proxy', { effects: { a: 'soft' } }, {}, false],
    ['a change that unloads nothing, with a proxy', { effects: { a: 'soft' } }, PROXIES, true],
    [
      'a change that always asks for it',
      { effects: { a: 'soft' }, strategy: strategyOf({ drain: 'always' }) },
      {},
      true,
    ],
    ['a change that never asks for it', { strategy: strategyOf({ drain: 'never' }) }, PROXIES, false],
    ['a change of no item', { effects: {} }, PROXIES, false],
  ])('%s', ([, more, proxies, expected]) => {
    expect(drainOf(more, proxies) !== undefined).toBe(expected)
  })

  test('the whole node where the lists of items would be too long for one commit', () => {
    const effects = Object.fromEntries(
      Array.from({ length: 40_000 }, (_, index) => [`dataset${index}`, 'soft' as const]),
    )
    const items = Array.from({ length: 300 }, (_, index) => `erd${index}`)
    const order = ['erd1', 'erd2', ...items.slice(3)]
    expect(drainOf({ effects, order }, PROXIES)).not.toHaveProperty('items')
    expect(drainOf({ effects: { b: 'soft', a: 'soft' } }, PROXIES)).toHaveProperty('items', ['a', 'b'])
  })
})

test('a node is drained as a whole where its items are nothing that a proxy knows', () => {
  expect(drainedItems({ effects: { b: 'soft', a: 'hard' } }, 2)).toEqual(['a', 'b'])
  expect(drainedItems({ effects: { b: 'soft', a: 'hard' }, whole: true }, 2)).toBeUndefined()
})
