import { expect, test } from 'vitest'
import type { Backend, RoutingTable } from './model.ts'
import { ownersOf } from './owners.ts'

function backend(node: string, change: Partial<Backend> = {}): Backend {
  return { node, id: 1, host: '127.0.0.1', port: 80, weight: 100, state: 'up', without: new Set(), ...change }
}

function table(backends: readonly Backend[], placed: Readonly<Record<string, readonly string[]>>): RoutingTable {
  const placement = new Map(Object.entries(placed))
  return { asOf: 1, revision: 1, rules: [], backends, placement, everyNode: undefined }
}

function named(owners: ReturnType<typeof ownersOf>): readonly string[] {
  return owners.owners.map(({ node, lastResort }) => (lastResort ? `${node}!` : node))
}

test('owners come as they are placed, then the others', () => {
  const all = ownersOf(table([backend('a'), backend('b'), backend('c')], { x: ['c', 'a'] }), 'x')
  expect(named(all)).toEqual(['c', 'a', 'b'])
  expect(all.owners.map(({ placed }) => placed)).toEqual([true, true, false])
  expect(all.isPlaced).toBe(true)
})

test('a node that is drained for the key comes last, and one that is down not at all', () => {
  const backends = [backend('a', { without: new Set(['x']) }), backend('b', { state: 'down' }), backend('c')]
  const at = table(backends, { x: ['a', 'b', 'c'], y: ['a', 'b', 'c'] })
  expect(named(ownersOf(at, 'x'))).toEqual(['c', 'a!'])
  expect(named(ownersOf(at, 'y'))).toEqual(['a', 'c'])
})

test('a node that is drained as a whole is the last resort of everything', () => {
  const at = table([backend('a', { state: 'drained' }), backend('b')], { x: ['a', 'b'] })
  expect(named(ownersOf(at, 'x'))).toEqual(['b', 'a!'])
  expect(named(ownersOf(at, undefined))).toEqual(['b', 'a!'])
  expect(named(ownersOf(table([backend('a', { state: 'drained' })], {}), 'x'))).toEqual(['a!'])
})

test('who is asked first for a key that is not placed, the proxy says', () => {
  const unknown = ownersOf(table([backend('a'), backend('b', { without: new Set(['z']) })], { x: ['a'] }), 'z')
  expect(unknown.isPlaced).toBe(false)
  expect(named(unknown)).toEqual(['a', 'b!'])
})

test('a hot key is shared by as many as may answer', () => {
  const backends = [backend('a'), backend('b'), backend('c', { without: new Set(['x']) })]
  const hot = { ...table(backends, { x: ['a', 'b', 'c'] }), hot: new Map([['x', 3 as const]]) }
  expect(ownersOf(hot, 'x').sharers).toBe(2)
  expect(ownersOf(hot, 'y').sharers).toBe(1)
})

test('an owner that the table does not know any more is left out', () => {
  expect(named(ownersOf(table([backend('a')], { x: ['gone', 'a'] }), 'x'))).toEqual(['a'])
})
