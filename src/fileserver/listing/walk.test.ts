import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryTree } from '../../../test/helpers/memory-tree.ts'
import { compareKeys } from '../../core/files/entry.ts'
import { Caller } from '../access.ts'
import type { ServedTree } from '../options.ts'
import { pagerOfAll, pagerOfTree } from './pagers.ts'
import { type Listed, type Pager, walk } from './walk.ts'

const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', '//', '-', '\u{1F600}', '\uffff', 'ab/'), maxLength: 5 })
const key = text.filter((one) => one !== '')

function treeOf(keys: readonly string[], name = 'data'): ServedTree {
  const index = new MemoryTree()
  for (const one of keys) index.put(one, '')
  return { name, index, files: undefined as never, readOnly: false }
}

const lineOf = (listed: Listed): string => ('key' in listed ? listed.key : `${listed.commonPrefix}…`)

/** Everything, by the definition. */
function expected(keys: readonly string[], prefix: string, delimiter: string): readonly string[] {
  const lines = keys.toSorted(compareKeys).flatMap((one) => {
    if (!one.startsWith(prefix)) return []
    const at = delimiter === '' ? -1 : one.indexOf(delimiter, prefix.length)
    return [at === -1 ? one : `${one.slice(0, at + delimiter.length)}…`]
  })
  return [...new Set(lines)]
}

function taken(lines: Iterable<Listed>, count: number): readonly Listed[] {
  const some: Listed[] = []
  for (const line of lines) {
    some.push(line)
    if (some.length === count) break
  }
  return some
}

/** In as many answers as there are lines, each going on after the last line of the one before. */
function inSteps(pager: Pager, prefix: string, delimiter: string, step: number): readonly string[] {
  const lines: string[] = []
  for (let after = ''; ;) {
    const some = taken(walk(pager, { prefix, delimiter, after }), step)
    const last = some.at(-1)
    if (last === undefined) return lines
    lines.push(...some.map(lineOf))
    after = 'key' in last ? last.key : last.commonPrefix
  }
}

test('any listing, in one answer or in several, is what the definition says', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(key, { maxLength: 60 }),
      text,
      text,
      fc.integer({ min: 1, max: 5 }),
      (keys, prefix, delimiter, step) => {
        const { index } = treeOf(keys)
        const lines = expected(keys, prefix, delimiter)
        expect([...walk(index, { prefix, delimiter, after: '' })].map(lineOf)).toEqual(lines)
        expect(inSteps(index, prefix, delimiter, step)).toEqual(lines)
      },
    ),
    { numRuns: 1000 },
  )
})

test('a large folder is passed over in one step', () => {
  const index = new MemoryTree()
  for (let number = 0; number < 20_000; number++) index.put(`folder/${number}`, '')
  for (const one of ['a', 'folder', 'folder-', 'folder0', 'z']) index.put(one, '')
  let seen = 0
  const pager: Pager = {
    page: (options) => {
      const page = index.page(options)
      seen += page.length
      return page
    },
  }
  const lines = [...walk(pager, { prefix: '', delimiter: '/', after: '' })].map(lineOf)
  expect(lines).toEqual(['a', 'folder', 'folder-', 'folder/…', 'folder0', 'z'])
  expect(seen).toBeLessThan(100)
})

test('somebody sees exactly the parts that they may read', () => {
  const scope = fc.tuple(fc.constantFrom('data/', 'data-x/', 'data_x/'), text).map(([tree, prefix]) => tree + prefix)
  const keys = fc.uniqueArray(key, { maxLength: 30 })
  fc.assert(
    fc.property(
      keys,
      keys,
      fc.array(scope, { minLength: 1, maxLength: 4 }),
      text,
      text,
      fc.integer({ min: 1, max: 4 }),
      (one, other, scopes, prefix, delimiter, step) => {
        const caller = new Caller('x', [{ isWrite: false, scopes }], false)
        const trees = [treeOf(one, 'data'), treeOf(other, 'data-x'), treeOf(one, 'data_x')]
        const all = trees.flatMap(({ name, index }) =>
          index.page({ prefix: '', after: '', limit: 999 }).map((entry) => `${name}/${entry.key}`),
        )
        const visible = all.filter((path) => scopes.some((scope) => path.startsWith(scope)))
        for (const full of [prefix, `data/${prefix}`, 'data']) {
          const pager = pagerOfAll(trees, caller, full)
          const lines = expected(visible, full, delimiter)
          if (pager === undefined) expect(lines).toEqual([])
          else expect(inSteps(pager, full, delimiter, step)).toEqual(lines)
        }
        for (const tree of trees) {
          const own = visible
            .filter((path) => path.startsWith(`${tree.name}/`))
            .map((path) => path.slice(tree.name.length + 1))
          const pager = pagerOfTree(tree, caller, prefix)
          const lines = expected(own, prefix, delimiter)
          if (pager === undefined) expect(lines).toEqual([])
          else expect(inSteps(pager, prefix, delimiter, step)).toEqual(lines)
        }
      },
    ),
    { numRuns: 500 },
  )
})
