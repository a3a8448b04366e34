import { expect, test } from 'vitest'
import { checkTable, isAddress } from './check-table.ts'
import type { Backend, RoutingTable } from './model.ts'

const BACKEND: Backend = { node: 'a', id: 1, host: '10.0.0.7', port: 80, weight: 100, state: 'up', without: new Set() }
const GOOD: RoutingTable = {
  asOf: 1,
  revision: 0,
  rules: [{ system: 'erddap', base: '/erddap' }],
  backends: [BACKEND],
  placement: new Map([['sst', ['a']]]),
  everyNode: '127.0.0.1:80',
}

test('a table of names, numbers and addresses passes', () => {
  expect(() => checkTable(GOOD)).not.toThrow()
  expect(() => checkTable({ ...GOOD, everyNode: '[::1]:80', hot: new Map([['sst', 2]]) })).not.toThrow()
})

test.for<readonly [string, Partial<RoutingTable>]>([
  ['a node with a space', { backends: [{ ...BACKEND, node: 'a b' }] }],
  ['a host that is a name', { backends: [{ ...BACKEND, host: 'localhost' }] }],
  ['a port of 0', { backends: [{ ...BACKEND, port: 0 }] }],
  ['a port that is a fraction', { backends: [{ ...BACKEND, port: 1.5 }] }],
  ['an id of 0', { backends: [{ ...BACKEND, id: 0 }] }],
  ['an id of 2^31', { backends: [{ ...BACKEND, id: 2 ** 31 }] }],
  ['a weight of 257', { backends: [{ ...BACKEND, weight: 257 }] }],
  ['a drained item that is no key', { backends: [{ ...BACKEND, without: new Set(['a"b']) }] }],
  ['two nodes of one name', { backends: [BACKEND, { ...BACKEND, id: 2 }] }],
  ['two nodes of one id', { backends: [BACKEND, { ...BACKEND, node: 'b' }] }],
  ['a key with a quote', { placement: new Map([['a"', ['a']]]) }],
  ['an empty key', { placement: new Map([['', ['a']]]) }],
  ['an owner that is no name', { placement: new Map([['a', ['a;b']]]) }],
  ['a hot key with a space', { hot: new Map([['a b', 2]]) }],
  ['an agent by name', { everyNode: 'localhost:80' }],
  ['an agent without a port', { everyNode: '127.0.0.1' }],
  ['an agent with a line', { everyNode: '127.0.0.1:80\n' }],
  ['a base with a quote', { rules: [{ system: 'path', base: '/a"' }] }],
  ['a base that is relative', { rules: [{ system: 'path', base: 'a' }] }],
  ['a dangerous pattern', { rules: [{ system: 'rule', name: 'x', pattern: '^(a+)+$' }] }],
  ['a revision below 0', { revision: -1 }],
])('refuses %s', ([, change]) => {
  expect(() => checkTable({ ...GOOD, ...change })).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }))
})

test('an address is one of IPv4 or IPv6', () => {
  for (const good of ['127.0.0.1', '255.255.255.255', '::1', 'fe80::1', '2001:db8::7'])
    expect(isAddress(good)).toBe(true)
  for (const bad of ['1.2.3', '1.2.3.4.5', '256.1.1.1', '1.2.3.4 ', '1.2.3.4.', 'a::b::g', 'host', '::1%eth0', '']) {
    expect(isAddress(bad)).toBe(false)
  }
})
