import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareKeys, type FileEntry, type FileStat } from '../../../src/core/files/entry.ts'
import { BLOCKS, type ChangePage, type FileChange } from '../../../src/core/files/peer.ts'
import type { TreeIndex } from '../../../src/core/files/tree-index.ts'
import { sha256 } from '../../../src/lib/hash.ts'

/** An index over an empty folder, and what happens to that folder beside it. */
export interface IndexedFolder {
  readonly index: TreeIndex
  /** As another program would: whole at once, by a rename; the path is used as it is, even where it is no key. Resolves with what the file system tells of it then. */
  readonly write: (path: string, content: Uint8Array | string, modifiedMs?: number) => Promise<FileStat>
  readonly remove: (key: string) => Promise<void>
  /** Resolves when the index has everything that has been done before. */
  readonly settled: () => Promise<void>
  /** Stops the index and opens it again, over the same folder; absent where an index lives in memory only. */
  readonly reopen?: (options?: { readonly lost: boolean }) => Promise<TreeIndex>
}

type Open = () => Promise<IndexedFolder>

const KEYS = [
  'a!',
  'a-b',
  'a.b',
  'a/1',
  'a/2/x',
  'a/2/y',
  'aa',
  'b',
  'A',
  'ä',
  'z/ü/1',
  'e\u0301',
  '\u{1F600}',
  '\uffee',
  'a/%2F',
  'a/+ +',
  'a/\\',
].toSorted(compareKeys)

/**
 * What every `TreeIndex` does. `open` makes one over an empty folder, and is called in each test. `lasts`: whether it has a state
 * that can be opened again.
 */
export function treeIndexContract(name: string, open: Open, { lasts } = { lasts: true }): void {
  describe(name, () => {
    listing(open)
    etags(open)
    journal(open)
    noted(open)
    if (lasts) restarted(open)
  })
}

async function filled(open: Open, keys: readonly string[] = KEYS): Promise<IndexedFolder> {
  const folder = await open()
  for (const key of keys) await folder.write(key, `content of ${key}`)
  await folder.settled()
  return folder
}

const keysOf = (entries: readonly FileEntry[]): string[] => entries.map(({ key }) => key)

function listing(open: Open): void {
  test('an empty folder has nothing in it', async () => {
    const { index, settled } = await open()
    await settled()
    expect(index.page({ prefix: '', after: '', limit: 10 })).toEqual([])
    expect(index.get('a')).toBeUndefined()
  })

  test('lists in the order of the bytes of UTF-8, with size and time', async () => {
    const { index, write, settled } = await filled(open)
    await write('timed', '12345', 1_700_000_000_123)
    await settled()
    expect(keysOf(index.page({ prefix: '', after: '', limit: 100 }))).toEqual([...KEYS, 'timed'].toSorted(compareKeys))
    expect(index.get('timed')).toMatchObject({ key: 'timed', size: 5, modifiedMs: 1_700_000_000_123 })
    expect(index.page({ prefix: 'timed', after: '', limit: 1 })).toEqual([index.get('timed')])
  })

  test('a page starts after any key, there or not, and keeps to its prefix and limit', async () => {
    const { index } = await filled(open)
    const texts = fc.oneof(
      fc.constantFrom('', ...KEYS, 'a/', 'a0', 'a/2/', 'zz', '\u{1F600}x', '\uffff', '\u{10ffff}'),
      fc.string({ unit: 'grapheme', maxLength: 3 }),
    )
    fc.assert(
      fc.property(texts, texts, fc.integer({ min: 0, max: 20 }), (prefix, after, limit) => {
        const expected = KEYS.filter((key) => key.startsWith(prefix) && compareKeys(key, after) > 0).slice(0, limit)
        expect(keysOf(index.page({ prefix, after, limit }))).toEqual(expected)
      }),
      { numRuns: 500 },
    )
  })

  test('what is written and removed later is followed', async () => {
    const { index, write, remove, settled } = await filled(open)
    await write('new/deep/down', 'x')
    await write('b', 'longer than before')
    await remove('a/1')
    await settled()
    const expected = [...KEYS.filter((key) => key !== 'a/1'), 'new/deep/down'].toSorted(compareKeys)
    expect(keysOf(index.page({ prefix: '', after: '', limit: 100 }))).toEqual(expected)
    expect(index.get('b')).toMatchObject({ size: 18 })
    expect(index.get('a/1')).toBeUndefined()
  })

  test.for(['.flotilla-tmp-1', 'a/.flotilla-state/x', 'chunk_1.om~', 'deep/down.1234~', 'folder~/a'])(
    'the name %j is hidden',
    async (hidden) => {
      const { index, write, settled } = await filled(open, ['b'])
      await write(hidden, 'x')
      await settled()
      expect(keysOf(index.page({ prefix: '', after: '', limit: 10 }))).toEqual(['b'])
      expect(index.get(hidden)).toBeUndefined()
    },
  )
}

function etags(open: Open): void {
  test('an ETag is there, is fit for a header, and stays as long as the file does', async () => {
    const { index, write, settled } = await open()
    const stat = await write('a', 'one')
    await settled()
    const etag = index.get('a')?.etag ?? ''
    expect(etag).toMatch(/^[!#-~]{1,100}$/)
    await write('b', 'other')
    await settled()
    expect(index.get('a')?.etag).toBe(etag)
    expect(index.entryOf('a', stat)).toEqual(index.get('a'))
  })

  test('another content has another ETag, even of the same size and time', async () => {
    const { index, write, settled } = await open()
    const seen = new Set<string | undefined>()
    for (const [content, time] of [
      ['one', 1e12],
      ['two', 1e12],
      ['four', 1e12],
      ['two', 2e12],
    ] as const) {
      await write('a', content, time)
      await settled()
      seen.add(index.get('a')?.etag)
    }
    expect(seen.size).toBe(4)
  })

  test('what is said of a file follows the stat that was told, not what was indexed', async () => {
    const { index, write, settled } = await open()
    const old = await write('a', 'one', 1e12)
    await settled()
    const before = index.entryOf('a', old)
    const stat = await write('a', 'quite another', 2e12)
    expect(index.entryOf('a', stat)).toMatchObject({ key: 'a', size: 13, modifiedMs: 2e12 })
    expect(index.entryOf('a', stat).etag).not.toBe(before.etag)
    expect(index.entryOf('a', old).etag).toBe(before.etag)
    const never = { size: 7, modifiedMs: 3e12, changedMs: 3e12, inode: 77 }
    expect(index.entryOf('never/seen', never)).toMatchObject({ key: 'never/seen', size: 7, modifiedMs: 3e12 })
  })

  test('hashes of blocks are of the very content, once they are known', async () => {
    const { index, write, settled } = await open()
    const content = Buffer.alloc(BLOCKS.large * 2 + BLOCKS.small + 5, 'flotilla ')
    await write('large', content)
    await settled()
    const { etag } = index.get('large')!
    await expect.poll(() => index.blocks('large', etag, {}), { timeout: 15_000 }).toBeDefined()
    const larges = index.blocks('large', etag, {})!
    expect(larges.sha256).toBe(sha256(content))
    const cut = (bytes: Uint8Array): Buffer => Buffer.from(sha256(bytes), 'hex').subarray(0, BLOCKS.hashBytes)
    const smalls = (start: number, end: number): Buffer =>
      Buffer.concat(
        Array.from({ length: Math.ceil((end - start) / BLOCKS.small) }, (_, at) =>
          cut(content.subarray(start + at * BLOCKS.small, Math.min(start + (at + 1) * BLOCKS.small, end))),
        ),
      )
    const parts = [0, 1, 2].map((at) =>
      smalls(at * BLOCKS.large, Math.min((at + 1) * BLOCKS.large, content.byteLength)),
    )
    expect(Buffer.from(larges.hashes).equals(Buffer.concat(parts.map(cut)))).toBe(true)
    const within = index.blocks('large', etag, { within: [2, 0] })!
    expect(Buffer.from(within.hashes).equals(Buffer.concat([parts[2]!, parts[0]!]))).toBe(true)
    expect(index.blocks('large', 'another', {})).toBeUndefined()
    expect(index.blocks('absent', etag, {})).toBeUndefined()
  })
}

interface Answer {
  readonly reset: boolean
  readonly changes: readonly FileChange[]
  readonly cursor: string
}

function changesOf(index: TreeIndex, since: string | undefined, prefixes: readonly string[] = []): Answer {
  const pages: ChangePage[] = [...index.changes({ since, prefixes })]
  expect(pages.slice(0, -1).every(({ cursor }) => cursor === undefined)).toBe(true)
  const cursor = pages.at(-1)?.cursor
  expect(cursor).toMatch(/^[!-~]{1,200}$/)
  return { reset: pages[0]!.reset, changes: pages.flatMap(({ changes }) => changes), cursor: cursor! }
}

function journal(open: Open): void {
  test('without a cursor everything comes, in order; from its cursor on nothing', async () => {
    const { index } = await filled(open)
    const first = changesOf(index, undefined)
    expect(first.reset).toBe(true)
    expect(first.changes).toEqual(index.page({ prefix: '', after: '', limit: 100 }))
    expect(changesOf(index, first.cursor)).toMatchObject({ reset: false, changes: [] })
  })

  test('from a cursor on only what changed since comes, each key once, as it is now', async () => {
    const { index, write, remove, settled } = await filled(open)
    const { cursor } = changesOf(index, undefined)
    await write('a/1', 'first')
    await settled()
    const between = changesOf(index, cursor)
    expect(between.changes).toEqual([index.get('a/1')])
    await write('a/1', 'second, longer')
    await write('new', 'x')
    await remove('b')
    await settled()
    const later = changesOf(index, cursor)
    expect(later.reset).toBe(false)
    expect(later.changes).toHaveLength(3)
    expect(new Set(later.changes)).toEqual(new Set([index.get('a/1'), index.get('new'), { key: 'b', gone: true }]))
    expect(new Set(changesOf(index, between.cursor).changes)).toEqual(new Set(later.changes))
    expect(changesOf(index, later.cursor).changes).toEqual([])
  })

  test('prefixes narrow what comes', async () => {
    const { index, write, remove, settled } = await filled(open)
    const { changes, cursor } = changesOf(index, undefined, ['a/2/', 'b'])
    expect(changes.map(({ key }) => key)).toEqual(['a/2/x', 'a/2/y', 'b'])
    await write('a/2/x', 'changed')
    await write('z/ü/1', 'changed')
    await remove('a/2/y')
    await settled()
    const keys = changesOf(index, cursor, ['a/2/', 'b']).changes.map(({ key }) => key)
    expect(keys.toSorted()).toEqual(['a/2/x', 'a/2/y'])
  })

  test.for(['', 'x', '1.1', 'e.999999', '.', '-1.-1', 'a'.repeat(200), '\u{1F600}'])(
    'the cursor %j is not known: everything comes again',
    async (since) => {
      const { index } = await filled(open, ['a', 'b'])
      const answer = changesOf(index, since)
      expect(answer.reset).toBe(true)
      expect(answer.changes.map(({ key }) => key)).toEqual(['a', 'b'])
    },
  )

  test('a change between the pages of an answer is in it or in the next one', async () => {
    const { index, write, remove, settled } = await open()
    for (let number = 0; number < 3000; number++) await write(`f${String(number).padStart(4, '0')}`, 'x')
    await settled()
    const state = new Map<string, number>()
    const apply = (changes: readonly FileChange[]): void => {
      for (const change of changes) {
        if ('gone' in change) state.delete(change.key)
        else state.set(change.key, change.size)
      }
    }
    let cursor: string | undefined
    let pages = 0
    for (const page of index.changes({ since: undefined, prefixes: [] })) {
      apply(page.changes)
      cursor = page.cursor
      if (++pages > 1) continue
      await write('f0000', 'longer')
      await write('f2999', 'longer')
      await write('e', 'new')
      await remove('f0001')
      await remove('f2998')
      await settled()
    }
    apply(changesOf(index, cursor).changes)
    const expected = index.page({ prefix: '', after: '', limit: 10_000 }).map(({ key, size }) => [key, size] as const)
    expect([...state].toSorted(([a], [b]) => compareKeys(a, b))).toEqual(expected)
  })

  test('waiting for a change ends with one, or with its signal', async () => {
    const { index, write, settled } = await filled(open, ['a'])
    const waiting = index.changed({})
    const { cursor } = changesOf(index, undefined)
    await write('b', 'x')
    await settled()
    await waiting
    expect(changesOf(index, cursor).changes.map(({ key }) => key)).toEqual(['b'])
    const controller = new AbortController()
    const aborted = index.changed({ signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    await expect(index.changed({ signal: controller.signal })).rejects.toThrow('enough')
  })
}

function noted(open: Open): void {
  test('what is noted is there at once, with what is known of it', async () => {
    const { index, write, settled } = await filled(open, ['b'])
    const { cursor } = changesOf(index, undefined)
    const stat = await write('a', 'content')
    const facts = {
      etag: '9a0364b9e99bb480dd25e1f0284c8555',
      md5: '9a0364b9e99bb480dd25e1f0284c8555',
      sha256: sha256('content'),
      headers: { 'content-type': 'text/plain', 'x-amz-meta-mtime': '1700000000.5' },
    }
    const { version } = index
    await index.note('a', stat, facts)
    expect(index.version).not.toBe(version)
    expect(index.get('a')).toMatchObject({ key: 'a', size: 7, etag: facts.etag, md5: facts.md5, sha256: facts.sha256 })
    expect(index.factsOf('a', stat)).toMatchObject(facts)
    expect(index.entryOf('a', stat).etag).toBe(facts.etag)
    await settled()
    expect(index.get('a')?.etag).toBe(facts.etag)
    expect(changesOf(index, cursor).changes).toEqual([index.get('a')])
  })

  test('facts hold for that very content only', async () => {
    const { index, write, settled } = await open()
    const stat = await write('a', 'one', 1e12)
    await index.note('a', stat, { etag: 'promised', headers: { 'x-amz-meta-a': 'b' } })
    const other = await write('a', 'two', 1e12)
    expect(index.factsOf('a', other)).toBeUndefined()
    await settled()
    expect(index.get('a')?.etag).not.toBe('promised')
    expect(index.factsOf('b', stat)).toBeUndefined()
  })

  test('what is noted as gone is gone', async () => {
    const { index, remove } = await filled(open, ['a', 'b'])
    const { cursor } = changesOf(index, undefined)
    await remove('a')
    await index.note('a', undefined)
    expect(index.get('a')).toBeUndefined()
    expect(index.page({ prefix: '', after: '', limit: 9 })).toHaveLength(1)
    expect(changesOf(index, cursor).changes).toEqual([{ key: 'a', gone: true }])
  })

  test('a file that came otherwise has no facts', async () => {
    const { index, write, settled } = await open()
    const stat = await write('a', 'one')
    await settled()
    expect(index.factsOf('a', stat)?.headers).toBeUndefined()
    expect(index.factsOf('a', stat)?.etag).toBeUndefined()
  })
}

function restarted(open: Open): void {
  test('a restart changes no ETag and keeps facts and cursors', async () => {
    const folder = await filled(open, ['a', 'b', 'c'])
    const stat = await folder.write('p', 'put')
    await folder.index.note('p', stat, { etag: 'promised', headers: { 'content-type': 'x/y' } })
    const before = folder.index.page({ prefix: '', after: '', limit: 10 })
    const { cursor } = changesOf(folder.index, undefined)
    const index = await folder.reopen!()
    await folder.settled()
    expect(index.page({ prefix: '', after: '', limit: 10 })).toEqual(before)
    expect(index.factsOf('p', stat)).toMatchObject({ etag: 'promised', headers: { 'content-type': 'x/y' } })
    expect(changesOf(index, cursor)).toMatchObject({ reset: false, changes: [] })
  })

  test('an index that is lost is made again: same ETags, and cursors of before begin anew', async () => {
    const folder = await filled(open, ['a', 'b', 'c'])
    const before = folder.index.page({ prefix: '', after: '', limit: 10 }).map(({ key, etag }) => [key, etag])
    const { cursor } = changesOf(folder.index, undefined)
    const index = await folder.reopen!({ lost: true })
    await folder.settled()
    expect(index.page({ prefix: '', after: '', limit: 10 }).map(({ key, etag }) => [key, etag])).toEqual(before)
    expect(changesOf(index, cursor).reset).toBe(true)
  })
}
