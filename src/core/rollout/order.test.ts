import { expect, test } from 'vitest'
import { worldWith } from '../../../test/helpers/rollout.ts'
import { orderOf, wavesOf } from './order.ts'
import { strategyOf } from './strategy.ts'

test('first goes a node that proves what is desired, then others that are alive, then those that are lost; each by name', () => {
  const nodes = {
    e: {},
    d: {},
    c: { state: 'pending' as const, served: 0 },
    b: { state: 'failed' as const },
    a: {},
  }
  expect(orderOf(worldWith({ nodes, lost: ['a'] }))).toEqual(['d', 'e', 'b', 'c', 'a'])
})

test('the waves, as long as nothing disturbs', () => {
  const order = ['a', 'b', 'c', 'd', 'e', 'f']
  expect(wavesOf(order, strategyOf())).toEqual(order.map((node) => [node]))
  expect(wavesOf(order, strategyOf({ canary: 1, wave: 3, maxUnavailable: 3 }))).toEqual([
    ['a'],
    ['b', 'c', 'd'],
    ['e', 'f'],
  ])
  expect(wavesOf(order, strategyOf({ canary: 3, wave: 3, maxUnavailable: 2 }))).toEqual([
    ['a', 'b'],
    ['c', 'd'],
    ['e', 'f'],
  ])
  expect(wavesOf([], strategyOf())).toEqual([])
})
