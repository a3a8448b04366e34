import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryLedger } from '../../test/helpers/ledger.ts'
import { MemoryTree } from '../../test/helpers/memory-tree.ts'
import { compareKeys } from '../core/files/entry.ts'
import { bucketOf, BUCKETS, differing } from '../core/push/buckets.ts'
import type { SumRow } from '../core/push/wire.ts'
import { sha256 } from '../lib/hash.ts'
import { rowsOf, sumsOf, type SumsOf } from './sums.ts'

const EVERY = Array.from({ length: BUCKETS }, (_, bucket) => bucket)

async function all(tree: SumsOf, prefix = '', limit = 1000): Promise<readonly SumRow[]> {
  const rows: SumRow[] = []
  for (;;) {
    const page = await rowsOf(tree, { prefix, buckets: EVERY, after: rows.at(-1)?.key ?? '', limit }, {})
    if (page.length === 0) return rows
    rows.push(...page)
  }
}

/** `etag`: that of the row; what the index sees is always `at-…`. */
async function treeOf(files: ReadonlyMap<string, string>, etag: (key: string) => string | undefined) {
  const [index, ledger] = [new MemoryTree(), new MemoryLedger()]
  for (const [key, content] of files) {
    const stat = index.put(key, content, 1000)
    await index.note(key, stat, { etag: `at-${key}` })
    const rowEtag = etag(key)
    if (rowEtag === undefined) continue
    const version = ledger.next()
    const found = { key, version, size: content.length, modifiedMs: 1000, etag: rowEtag }
    await ledger.record({ ...found, sha256: sha256(content) })
  }
  return { index, ledger }
}

const anyKey = fc.stringMatching(/^[abü\u{10000}\uffff/]{1,4}$/u)
const anyFiles = fc
  .dictionary(anyKey, fc.constantFrom('x', 'y', 'z'), { maxKeys: 30 })
  .map((files) => new Map(Object.entries(files)))

test('the content is the hash that came with the very file that is seen, else what the file is known by', async () => {
  await fc.assert(
    fc.asyncProperty(anyFiles, fc.integer({ min: 1, max: 7 }), async (files, limit) => {
      const kind = (key: string): number => Buffer.byteLength(key) % 3
      const tree = await treeOf(files, (key) => [undefined, `at-${key}`, 'another'][kind(key)])
      // Rows of files that are not here, and deletions, are nothing that is held.
      await tree.ledger.record({ key: 'aa/not-here', version: tree.ledger.next(), size: 1, modifiedMs: 1, etag: 'e' })
      await tree.ledger.record({ key: 'ab-gone', version: tree.ledger.next(), gone: true })
      const expected = [...files.keys()].toSorted(compareKeys).map((key) => {
        return { key, content: kind(key) === 1 ? sha256(files.get(key)!) : `etag:at-${key}` }
      })
      expect(await all(tree, '', limit)).toMatchObject(expected)
      expect(await all(tree, 'a', limit)).toMatchObject(expected.filter(({ key }) => key.startsWith('a')))
    }),
    { numRuns: 60 },
  )
})

test('sums differ in the buckets of the files that differ, and in no other', async () => {
  await fc.assert(
    fc.asyncProperty(anyFiles, anyFiles, async (ours, theirs) => {
      const [a, b] = [await treeOf(ours, (key) => `at-${key}`), await treeOf(theirs, (key) => `at-${key}`)]
      const buckets = differing(await sumsOf(a, '', {}), await sumsOf(b, '', {}))
      const others = [...ours.keys(), ...theirs.keys()].filter((key) => ours.get(key) !== theirs.get(key))
      const expected = [...new Set(others.map((key) => bucketOf(sha256(key))))].toSorted((x, y) => x - y)
      expect(buckets).toEqual(expected)
      const rows = await rowsOf(a, { prefix: '', buckets, after: '', limit: 1000 }, {})
      expect(rows.map(({ key }) => key)).toEqual(
        [...ours.keys()].filter((key) => buckets.includes(bucketOf(sha256(key)))).toSorted(compareKeys),
      )
    }),
    { numRuns: 60 },
  )
})

test('an empty bucket has an empty sum, and a prefix leaves out what is elsewhere', async () => {
  const tree = await treeOf(
    new Map([
      ['a/1', 'x'],
      ['b/1', 'y'],
    ]),
    () => undefined,
  )
  const sums = await sumsOf(tree, 'a/', {})
  expect(sums).toHaveLength(BUCKETS)
  expect(sums.flatMap((sum, bucket) => (sum === '' ? [] : [bucket]))).toEqual([bucketOf(sha256('a/1'))])
})

test('a hash that the index has made stands for a file without a row', async () => {
  const tree = new MemoryTree()
  await tree.note('a', tree.put('a', 'x'), { sha256: sha256('x') })
  expect(await all({ index: tree, ledger: new MemoryLedger() })).toEqual([{ key: 'a', content: sha256('x') }])
})

test('others have their turns while many files are summed, and who gives up ends it', async () => {
  const files = new Map(Array.from({ length: 5000 }, (_, n) => [`key-${n}`, 'x']))
  const tree = await treeOf(files, () => undefined)
  let turns = 0
  const ticking = setInterval(() => turns++, 0)
  await sumsOf(tree, '', {})
  clearInterval(ticking)
  expect(turns).toBeGreaterThan(2)
  const signal = AbortSignal.abort(new Error('gone'))
  await expect(sumsOf(tree, '', { signal })).rejects.toThrow('gone')
  await expect(rowsOf(tree, { prefix: '', buckets: EVERY, after: '', limit: 9 }, { signal })).rejects.toThrow('gone')
})
