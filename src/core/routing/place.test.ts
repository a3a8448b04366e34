import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Placement } from './model.ts'
import { place, ranked } from './place.ts'

const COLD = new Map<string, 2 | 3 | 4>()
const USUAL = { bound: 1.25, depth: 3, hot: COLD }

function nodesOf(count: number, weight = 100) {
  return Array.from({ length: count }, (_, index) => ({ node: `erd${index + 1}`, weight }))
}

function keysOf(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `dataset_${index}`)
}

function loads(placement: Placement, sharers = (_key: string): number => 1): Map<string, number> {
  const counts = new Map<string, number>()
  for (const [key, owners] of placement) {
    const share = sharers(key)
    for (const node of owners.slice(0, share)) counts.set(node, (counts.get(node) ?? 0) + 1 / share)
  }
  return counts
}

/** Keys with another first owner than before. */
function moved(before: Placement, after: Placement): readonly string[] {
  return [...before.keys()].filter((key) => before.get(key)?.[0] !== after.get(key)?.[0])
}

const someKeys = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 20 }), { maxLength: 120 })
const someNodes = fc
  .uniqueArray(fc.tuple(fc.stringMatching(/^[a-z0-9]{1,8}$/), fc.integer({ min: 1, max: 256 })), {
    minLength: 1,
    maxLength: 9,
    selector: ([node]) => node,
  })
  .map((all) => all.map(([node, weight]) => ({ node, weight })))
const someHot = fc.dictionary(fc.string({ maxLength: 3 }), fc.constantFrom(2 as const, 3 as const, 4 as const))

describe('every key', () => {
  test('gets so many different owners, and the same ones in whatever order keys and nodes come', () => {
    fc.assert(
      fc.property(someKeys, someNodes, someHot, fc.integer({ min: 1, max: 4 }), (keys, nodes, hotness, depth) => {
        const hot = new Map(Object.entries(hotness))
        const placement = place(keys, nodes, { ...USUAL, depth, hot })
        const again = place(keys.toReversed(), nodes.toReversed(), { ...USUAL, depth, hot })
        expect([...again]).toEqual([...placement])
        expect([...placement.keys()]).toEqual(keys.toSorted())
        for (const [key, owners] of placement) {
          expect(new Set(owners).size).toBe(owners.length)
          expect(owners).toHaveLength(Math.min(nodes.length, Math.max(depth, hot.get(key) ?? 1)))
        }
      }),
    )
  })

  test('has the owners that it is ranked by, where nothing is bounded', () => {
    fc.assert(
      fc.property(someKeys, someNodes, (keys, nodes) => {
        const placement = place(keys, nodes, { ...USUAL, bound: 1e9, depth: 9 })
        for (const [key, owners] of placement) expect(owners).toEqual(ranked(key, nodes))
      }),
    )
  })

  test('has none without nodes, and there is no bound below 1', () => {
    expect(place(['a'], [], USUAL).size).toBe(0)
    expect(() => place(['a'], nodesOf(1), { ...USUAL, bound: 0.9 })).toThrow(/bound/)
  })
})

describe('the load', () => {
  test('of no node is over the bound, by weight', () => {
    fc.assert(
      fc.property(someKeys, someNodes, fc.double({ min: 1, max: 2, noNaN: true }), (keys, nodes, bound) => {
        const counts = loads(place(keys, nodes, { ...USUAL, bound }))
        const weights = nodes.reduce((sum, { weight }) => sum + weight, 0)
        for (const { node, weight } of nodes) {
          expect(counts.get(node) ?? 0).toBeLessThanOrEqual(Math.ceil((bound * keys.length * weight) / weights))
        }
      }),
    )
  })

  test('follows the weights', () => {
    const nodes = [...nodesOf(3), { node: 'large', weight: 200 }]
    const counts = loads(place(keysOf(10_000), nodes, USUAL))
    expect(counts.get('large')).toBeGreaterThan(3700)
    expect(counts.get('large')).toBeLessThan(4300)
    expect(counts.get('erd1')).toBeGreaterThan(1800)
    expect(counts.get('erd1')).toBeLessThan(2200)
  })

  test('of 10,000 keys on 50 nodes is even within the bound', () => {
    const counts = [...loads(place(keysOf(10_000), nodesOf(50), USUAL)).values()]
    expect(Math.max(...counts)).toBeLessThanOrEqual(250)
    expect(Math.min(...counts)).toBeGreaterThan(130)
  })

  test('of a hot key is spread over as many nodes as it is hot', () => {
    const hot = new Map([['dataset_7', 4 as const]])
    const owners = place(keysOf(100), nodesOf(6), { ...USUAL, hot }).get('dataset_7') ?? []
    expect(new Set(owners).size).toBe(4)
    const counts = loads(place(keysOf(8), nodesOf(4), { ...USUAL, bound: 1, hot }), (key) => hot.get(key) ?? 1)
    for (const count of counts.values()) expect(count).toBeLessThanOrEqual(3)
  })
})

describe('losing one node', () => {
  test.for([3, 5, 50])('of %i moves about one key in as many, and none needlessly', (count) => {
    const keys = keysOf(10_000)
    const nodes = nodesOf(count)
    const before = place(keys, nodes, USUAL)
    const after = place(keys, nodes.slice(1), USUAL)
    const gone = moved(before, after)
    expect(gone.length).toBeLessThanOrEqual(Math.ceil((USUAL.bound * keys.length) / count))
    const needless = gone.filter((key) => before.get(key)?.[0] !== 'erd1')
    expect(needless.length).toBeLessThanOrEqual(count === 50 ? 10 : 0)
  })

  test('moves no key that the bound had not moved before, or moves now', () => {
    fc.assert(
      fc.property(someKeys, someNodes, (keys, nodes) => {
        const left = nodes.slice(1)
        const before = place(keys, nodes, USUAL)
        const after = place(keys, left, USUAL)
        if (left.length === 0) return
        for (const key of moved(before, after)) {
          const wasLost = before.get(key)?.[0] === nodes[0]?.node
          const yielded = before.get(key)?.[0] !== ranked(key, nodes)[0] || after.get(key)?.[0] !== ranked(key, left)[0]
          expect(wasLost || yielded).toBe(true)
        }
      }),
    )
  })

  test('gives its keys to those who stood next in line', () => {
    const before = place(keysOf(2000), nodesOf(5), USUAL)
    const after = place(keysOf(2000), nodesOf(5).slice(1), USUAL)
    const orphans = [...before].filter(([, owners]) => owners[0] === 'erd1')
    const heirs = orphans.filter(([key, owners]) => after.get(key)?.[0] === owners[1])
    expect(heirs.length / orphans.length).toBeGreaterThan(0.98)
  })
})
