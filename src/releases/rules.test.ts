import { expect, test } from 'vitest'
import type { ItemChange, TreeItem } from '../core/tree.ts'
import { contextOf } from './node-context.ts'
import { compareFiles, lostItems, needsConfirmation, withOverrides } from './rules.ts'

const item = (id: string, active: boolean): TreeItem => ({
  id,
  type: 'T',
  active,
  path: `${id}.xml`,
  line: 1,
  digest: id,
})
const file = (path: string, sha256: string) => ({ path, size: 1, sha256 })
const entry = (key: string, value: unknown) => ({ key, revision: 1, value: JSON.stringify(value) })
const change = (id: string, effect: ItemChange['effect']): ItemChange => ({
  id,
  effect,
  path: `${id}.xml`,
  details: [],
})

test.for([
  ['switched off by an override alone', [], true, false, 'removed'],
  ['switched on by an override alone', [], false, true, 'added'],
  ['changed and switched off', ['hard'], true, false, 'removed'],
  ['switched off in its definition, which an override hid before', ['removed'], false, false, 'soft'],
  ['switched on in its definition, which an override hides', ['added'], false, false, 'soft'],
  ['changed', ['hard'], true, true, 'hard'],
  ['changed while it is off', ['soft'], false, false, 'soft'],
] as const)('an item that is %s', ([, compared, before, after, effect]) => {
  const changes = compared.map((found) => change('x', found))
  const result = withOverrides(changes, [item('x', before)], [item('x', after)])
  expect(result.map((found) => found.effect)).toEqual([effect])
})

test('items that come and go are as compared', () => {
  const compared = [change('new', 'added'), change('old', 'removed')]
  expect(withOverrides(compared, [item('old', false)], [item('new', false)])).toEqual(compared)
})

test('lost are items that are gone or switched off, not those that were off before', () => {
  const before = [
    item('gone', true),
    item('off', true),
    item('stays', true),
    item('was off', false),
    item('off, gone', false),
  ]
  const after = [item('off', false), item('stays', true), item('was off', false), item('new', true)]
  expect(lostItems(before, after)).toEqual(['gone', 'off', 'off, gone'])
})

test.for([
  [0, 10, 10, false],
  [1, 10, 9, false],
  [2, 10, 8, true],
  [2, 20, 18, false],
  [3, 20, 17, true],
  [1, 1, 0, true],
  [1, 1, 1, false],
  [2, 2, 2, true],
] as const)('losing %d of %d, leaving %d: asks is %s', ([lost, before, after, asks]) => {
  expect(needsConfirmation(lost, before, after, 0.1)).toBe(asks)
})

test('a share of 1 still asks before everything goes, a share of 0 lets single ones go', () => {
  expect(needsConfirmation(9, 10, 1, 1)).toBe(false)
  expect(needsConfirmation(10, 10, 5, 1)).toBe(true)
  expect(needsConfirmation(1, 10, 9, 0)).toBe(false)
  expect(needsConfirmation(2, 1000, 998, 0)).toBe(true)
})

test('differences of files are sorted by path', () => {
  expect(
    compareFiles([file('b', '1'), file('c', '1'), file('d', '1')], [file('a', '1'), file('c', '2'), file('d', '1')]),
  ).toEqual([
    { path: 'a', change: 'added' },
    { path: 'b', change: 'removed' },
    { path: 'c', change: 'changed' },
  ])
})

test('the context is what every node that is alive says, and the oldest version', () => {
  const entries = [
    entry('node/a/alive', { values: ['name', 'data'] }),
    entry('node/b/alive', { values: ['data', 'more', 7], trees: ['t'] }),
    entry('node/proxy/alive', { values: ['name'], trees: [] }),
    entry('node/other/alive', { values: ['name'], trees: ['other'] }),
    entry('node/a/target/t', { version: '2.18' }),
    entry('node/b/target/t', { version: '2.9.1' }),
    entry('node/b/target/other', { version: '1.0' }),
    entry('node/gone/target/t', { version: '1.82' }),
  ]
  const { nodeValues, version } = contextOf(entries, 't')
  expect([...(nodeValues ?? [])]).toEqual(['data'])
  expect(version).toBe('2.9.1')
  expect(contextOf([], 't')).toEqual({ nodeValues: undefined, version: undefined })
})

test.for(['null', '7', '"text"', '[]', '{', '{"values":7,"version":[]}', '{"values":{"__proto__":1},"version":"x"}'])(
  'what a node says that cannot be understood says nothing: %s',
  (value) => {
    const entries = ['alive', 'target/t'].map((family) => ({ key: `node/a/${family}`, value, revision: 1 }))
    const { nodeValues, version } = contextOf(entries, 't')
    expect({ values: nodeValues?.size, version }).toEqual({ values: undefined, version: undefined })
  },
)
