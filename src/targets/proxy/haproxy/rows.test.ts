import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Backend, RoutingTable } from '../../../core/routing/model.ts'
import { ownersOf } from '../../../core/routing/owners.ts'
import { OWNERS_MAX, ringIds, tableRows } from './rows.ts'

const NODES = ['a', 'b', 'c', 'd', 'e', 'f']
const KEYS = ['sst', 'buoys', 'x.y', 'topp:states', 'forecast/5/1']

const backend = (node: string) =>
  fc.record({
    node: fc.constant(node),
    id: fc.constant(node.charCodeAt(0)),
    host: fc.constant('127.0.0.1'),
    port: fc.constant(80),
    weight: fc.integer({ min: 1, max: 256 }),
    state: fc.constantFrom('up', 'up', 'up', 'drained', 'down'),
    without: fc.subarray(KEYS).map((keys) => new Set(keys)),
  })

const tables = fc
  .tuple(
    fc.subarray(NODES, { minLength: 1 }).chain((nodes) => fc.tuple(...nodes.map((node) => backend(node)))),
    fc.dictionary(fc.constantFrom(...KEYS), fc.shuffledSubarray(NODES)),
    fc.dictionary(fc.constantFrom(...KEYS), fc.constantFrom(2, 3, 4)),
  )
  .map(([backends, placed, hot]): RoutingTable => {
    const [placement, hots] = [new Map(Object.entries(placed)), new Map(Object.entries(hot))]
    return { asOf: 1, revision: 7, rules: [], backends, placement, everyNode: undefined, hot: hots }
  })

interface Row {
  readonly revision: number
  readonly good: number
  readonly isAll: boolean
  readonly turns: readonly (readonly string[])[]
}

function read(rows: readonly string[]): ReadonlyMap<string, Row> {
  const known = rows.filter((row) => !row.startsWith('!'))
  return new Map(
    known.map((row) => {
      const [key = '', value = ''] = row.split(' ')
      const [revision, good, all, sharers, ...turns] = value.split('/')
      expect(turns).toHaveLength(Number(sharers))
      const orders = turns.map((turn) => (turn === '' ? [] : turn.split(':')))
      return [key, { revision: Number(revision), good: Number(good), isAll: all === '+', turns: orders }]
    }),
  )
}

test('a row says what ownersOf says, as far as a request may need it', () => {
  fc.assert(
    fc.property(tables, (table) => {
      for (const [key, { revision, good, isAll, turns }] of read(tableRows(table))) {
        const name = key === '*' ? undefined : key
        const { owners, sharers } = ownersOf(table, name)
        const best = owners.filter(({ lastResort }) => !lastResort).map(({ node }) => node)
        const last = owners.filter(({ lastResort }) => lastResort).map(({ node }) => node)
        const [first = []] = turns
        expect(revision).toBe(table.revision)
        expect(first.slice(0, good)).toEqual(best.slice(0, good))
        expect(last.slice(0, first.length - good)).toEqual(first.slice(good))
        // Two to choose from, where there are two; and nobody is called good who is not.
        expect(first.length).toBeGreaterThanOrEqual(Math.min(2, owners.length))
        expect(good).toBeGreaterThanOrEqual(Math.min(2, best.length))
        expect(turns).toHaveLength(sharers)
        expect(turns.flatMap(([node]) => node ?? [])).toEqual(first.slice(0, sharers))
        for (const turn of turns) expect(turn.toSorted()).toEqual(first.toSorted())
        const lastUp = table.backends.filter(
          ({ state, without }) => state === 'up' && name !== undefined && without.has(name),
        )
        expect(isAll).toBe(lastUp.length === 0)
        expect(first.length).toBeLessThanOrEqual(OWNERS_MAX)
      }
    }),
    { numRuns: 500 },
  )
})

test('there is a row for every key that is placed, and for every one that a node has not', () => {
  fc.assert(
    fc.property(tables, (table) => {
      const keys = new Set(['*', ...table.placement.keys()])
      for (const { state, without } of table.backends) {
        if (state === 'up') for (const key of without) keys.add(key)
      }
      expect(new Set(read(tableRows(table)).keys())).toEqual(keys)
    }),
  )
})

test('equal tables are equal rows, in whatever order they came', () => {
  fc.assert(
    fc.property(tables, (table) => {
      const placement = new Map([...table.placement].toReversed())
      const turned = { ...table, placement, backends: table.backends.toReversed(), asOf: 99 }
      expect(tableRows(turned)).toEqual(tableRows(table))
    }),
  )
})

test('ids that would be one on HAProxy’s ring are told apart, and stay what they are otherwise', () => {
  const rest = { host: '127.0.0.1', port: 80, weight: 100, state: 'up' as const, without: new Set<string>() }
  const given = [5, 5 + 2 ** 20, 6, 2 ** 20, 2 ** 31 - 1]
  const backends = given.map((id, index): Backend => Object.assign({ node: `n${index}`, id }, rest))
  const ids = ringIds(backends)
  expect([...ids.values()]).toEqual([5, 6, 7, 1, 2 ** 20 - 1])
  expect(new Set(ids.values()).size).toBe(backends.length)
})
