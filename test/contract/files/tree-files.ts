import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import type { OpenedFile, PutOptions, PutResult, TreeFiles } from '../../../src/core/files/tree-files.ts'
import type { TreeIndex } from '../../../src/core/files/tree-index.ts'
import { sha256 } from '../../../src/lib/hash.ts'
import { treeWritersContract } from './tree-writers.ts'

/** Files over an empty folder, with their index. */
export interface FilesOfTree {
  readonly files: TreeFiles
  readonly index: TreeIndex
  /** As another program would: whole at once, by a rename; the path is used as it is, even where it is no key. */
  readonly write: (path: string, content: Uint8Array | string, modifiedMs?: number) => Promise<void>
  readonly remove: (key: string) => Promise<void>
  /** The names of everything in the folder that is not to be seen, such as temporary files; must become none. */
  readonly leftovers: () => Promise<readonly string[]>
}

type Open = () => Promise<FilesOfTree>

const md5 = (content: Uint8Array | string): string => createHash('md5').update(content).digest('hex')

const LARGE = Buffer.alloc(3_000_001, 'flotilla: ')

/** Keys that no file can be called, or that look as if they led out. */
const ODD_KEYS = [
  'a/../b',
  '../escape',
  '..',
  '.',
  'a/./b',
  '/leading',
  '//two',
  'a//b',
  'folder/',
  'a/b//',
  '%2F',
  'a%2Fb',
  'a+b c',
  'back\\slash',
  'C:x',
  'line\nbreak',
  'nul\0byte',
  'tab\t',
  '\u{1F600}/ü',
  'e\u0301',
  '\u00e9',
  'end.',
  'end ',
  ' ',
  `${'p'.repeat(300)}/x`,
  'k'.repeat(1024),
  `${'ü'.repeat(511)}/x`.slice(0, 512),
  '.flotilla-tmp-x',
  'a/.flotilla-state/x',
  '.flotilla-key-x',
  'tilde~',
  '.hidden',
]

/** What every `TreeFiles` does. `open` makes one over an empty folder, and is called in each test. */
export function treeFilesContract(name: string, open: Open): void {
  describe(name, () => {
    reading(open)
    writing(open)
    conditions(open)
    refusals(open)
    removing(open)
  })
  treeWritersContract(name, open)
}

async function* chunks(content: Uint8Array | string, size = 65_536): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content)
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size)
}

async function put(
  files: TreeFiles,
  key: string,
  content: Uint8Array | string,
  options: PutOptions = {},
): Promise<PutResult> {
  return files.put(key, chunks(content), options)
}

async function withFile<T>(
  files: TreeFiles,
  key: string,
  use: (file: OpenedFile) => Promise<T>,
): Promise<T | undefined> {
  const file = await files.open(key)
  if (file === undefined) return undefined
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}

async function contentOf(files: TreeFiles, key: string): Promise<Buffer | undefined> {
  return withFile(files, key, async (file) => buffer(file.read(0, file.entry.size)))
}

function reading(open: Open): void {
  test('what another program wrote is read, small, large and empty', async () => {
    const { files, write } = await open()
    for (const content of ['small', '', LARGE, Buffer.alloc(65_536, 1), Buffer.alloc(1_048_577, 2)]) {
      const key = `sub/of-${content.length}`
      await write(key, content, 1_700_000_000_123)
      await withFile(files, key, async ({ entry, bytes }) => {
        expect(entry).toMatchObject({ key, size: content.length, modifiedMs: 1_700_000_000_123 })
        expect(entry.etag).toMatch(/^[!#-~]{1,100}$/)
        if (bytes !== undefined) expect(Buffer.from(bytes).equals(Buffer.from(content))).toBe(true)
      })
      expect((await contentOf(files, key))?.equals(Buffer.from(content))).toBe(true)
    }
  })

  test('any range is read exactly', async () => {
    const { files, write } = await open()
    await write('large', LARGE)
    const size = LARGE.byteLength
    const ranges = [
      [0, 1],
      [0, size],
      [size - 1, size],
      [65_535, 65_537],
      [1_000_000, 2_500_000],
      [5, 5],
      [size, size],
    ] as const
    await withFile(files, 'large', async (file) => {
      for (const [start, end] of ranges) {
        expect((await buffer(file.read(start, end))).equals(LARGE.subarray(start, end))).toBe(true)
      }
    })
  })

  test('what is not there, or is a folder, is not opened', async () => {
    const { files, write } = await open()
    await write('folder/file', 'x')
    for (const key of [
      'absent',
      'folder',
      'folder/',
      'folder/file/',
      'folder/file/below',
      'folder//file',
      './folder/file',
      '',
    ]) {
      expect(await files.open(key)).toBeUndefined()
    }
  })

  test.for(['.flotilla-tmp-1', 'a/.flotilla-state/x', 'chunk_1.om~'])(
    'the hidden name %j is not opened',
    async (key) => {
      const { files, write } = await open()
      await write(key, 'secret')
      expect(await files.open(key)).toBeUndefined()
    },
  )

  test('small files are read together, each to its place; what is not exactly what was listed, or is no file, is not', async () => {
    const { files, index, write, remove } = await open()
    const contents = {
      'a/1': 'one',
      'a/2': 'two',
      'b/3': 'three',
      'b/empty': '',
      changed: 'old',
      gone: 'x',
      '../odd': 'odd',
    }
    for (const [key, content] of Object.entries(contents))
      if (key !== '../odd') await write(key, content, 1_700_000_000_000)
    await files.put('../odd', chunks('odd'), {})
    const listed = index.page({ prefix: '', after: '', limit: 100 })
    await write('changed', 'new', 1_800_000_000_000)
    await remove('gone')
    const wanted = [
      ...listed.map(({ key, etag, size }) => ({ key, etag, into: Buffer.alloc(size) })),
      { key: 'a/1', etag: 'other', into: Buffer.alloc(3) },
      { key: 'a/1', etag: index.get('a/1')?.etag ?? '', into: Buffer.alloc(2) },
      { key: 'a', etag: '', into: Buffer.alloc(3) },
      { key: '', etag: '', into: Buffer.alloc(0) },
      { key: 'no/such', etag: '', into: Buffer.alloc(3) },
    ]
    const found = await files.gather(wanted)
    const read = found.flatMap((entry, at) => (entry === undefined ? [] : [[entry.key, String(wanted[at]?.into)]]))
    const there = Object.entries(contents).filter(([key]) => key !== 'changed' && key !== 'gone')
    expect(Object.fromEntries(read)).toEqual(Object.fromEntries(there))
    expect(found.slice(listed.length)).toEqual([undefined, undefined, undefined, undefined, undefined])
    expect(found.find((entry) => entry?.key === 'a/1')).toEqual(index.get('a/1'))
  })

  test('an opened file stays what it was when it is replaced or removed', async () => {
    const { files, write, remove } = await open()
    await write('a', LARGE)
    const other = Buffer.alloc(LARGE.byteLength, 'other')
    await withFile(files, 'a', async (file) => {
      await write('a', other)
      expect((await buffer(file.read(0, file.entry.size))).equals(LARGE)).toBe(true)
      await remove('a')
      expect((await buffer(file.read(0, file.entry.size))).equals(LARGE)).toBe(true)
    })
    expect(await files.open('a')).toBeUndefined()
  })

  test('reading ends early, or with its signal, and many read at once', async () => {
    const { files, write } = await open()
    await write('large', LARGE)
    await withFile(files, 'large', async (file) => {
      for await (const chunk of file.read(0, LARGE.byteLength)) {
        expect(chunk.byteLength).toBeGreaterThan(0)
        break
      }
      const controller = new AbortController()
      const drain = async (): Promise<void> => {
        for await (const chunk of file.read(0, LARGE.byteLength, { signal: controller.signal })) {
          if (chunk.byteLength > 0) controller.abort(new Error('enough'))
        }
      }
      await expect(drain()).rejects.toThrow('enough')
    })
    const read = await Promise.all(Array.from({ length: 20 }, async () => contentOf(files, 'large')))
    expect(read.every((content) => content?.equals(LARGE) === true)).toBe(true)
    await expect(files.open('large', { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
  })
}

function writing(open: Open): void {
  test('what was put is read, listed, and has the MD5 as its ETag', async () => {
    const { files, index } = await open()
    for (const content of ['', 'small', LARGE]) {
      const key = `to/put/${content.length}`
      const result = await put(files, key, content)
      const expected = { key, size: content.length, etag: md5(content) }
      expect(result).toMatchObject({ entry: expected })
      expect(index.get(key)).toMatchObject(expected)
      expect((await contentOf(files, key))?.equals(Buffer.from(content))).toBe(true)
      await withFile(files, key, async ({ entry }) => expect(entry).toMatchObject(expected))
    }
  })

  test('facts are kept and asked for after the body; a promised ETag and time hold', async () => {
    const { files, index } = await open()
    let isRead = false
    const body = (async function* () {
      yield Buffer.from('content')
      isRead = true
    })()
    const headers = { 'content-type': 'text/plain', 'x-amz-meta-mtime': '1700000000.123456789' }
    const facts = () => {
      expect(isRead).toBe(true)
      return { etag: 'promised-2', headers }
    }
    await files.put('a', body, { facts, modifiedMs: 1_600_000_000_000 })
    await withFile(files, 'a', async (file) => {
      expect(file.entry).toMatchObject({ etag: 'promised-2', modifiedMs: 1_600_000_000_000, size: 7 })
      expect(file.facts).toMatchObject({ etag: 'promised-2', headers })
    })
    expect(index.get('a')).toMatchObject({ etag: 'promised-2', modifiedMs: 1_600_000_000_000 })
    await put(files, 'a', 'other')
    await withFile(files, 'a', async ({ entry, facts }) => {
      expect(entry.etag).toBe(md5('other'))
      expect(facts?.headers ?? {}).toEqual({})
    })
  })

  test('a file that another program replaced loses the facts of the one that was put', async () => {
    const { files, write } = await open()
    await put(files, 'a', 'content', { facts: () => ({ headers: { 'x-amz-meta-a': 'b' } }) })
    await write('a', 'another')
    await withFile(files, 'a', async ({ entry, facts }) => {
      expect(facts?.headers).toBeUndefined()
      expect(entry.etag).not.toBe(md5('content'))
    })
  })

  test.for(ODD_KEYS)(
    'the key %j is put, read, listed and removed, or hidden and refused, and nothing else is touched',
    async (key) => {
      const { files, index } = await open()
      await put(files, 'beside', 'x')
      const result = await put(files, key, 'content').catch((error: unknown) => error)
      if (result instanceof Error) {
        expect(result).toMatchObject({ code: 'BAD_REQUEST' })
        expect(await files.open(key)).toBeUndefined()
      } else {
        expect(index.get(key)).toMatchObject({ key, size: 7 })
        expect(String(await contentOf(files, key))).toBe('content')
        expect(
          index
            .page({ prefix: '', after: '', limit: 9 })
            .map((entry) => entry.key)
            .toSorted(),
        ).toEqual(['beside', key].toSorted())
        expect(await files.remove(key)).toBe('removed')
      }
      expect(index.page({ prefix: '', after: '', limit: 9 }).map((entry) => entry.key)).toEqual(['beside'])
    },
  )

  test('keys that differ at all are different files', async () => {
    const { files, index } = await open()
    const keys = ['a//b', 'a/b', 'a/./b', 'a/../a/b', '/a/b', 'e\u0301', '\u00e9', 'A', 'a%2Fb', 'marker/', 'marker/x']
    for (const key of keys) await put(files, key, key)
    for (const key of keys) expect(String(await contentOf(files, key))).toBe(key)
    expect(index.page({ prefix: '', after: '', limit: 99 })).toHaveLength(keys.length)
  })

  test('of many that put the same key at once one whole content stays', async () => {
    const { files, index } = await open()
    const contents = Array.from({ length: 12 }, (_, number) => Buffer.alloc(200_000 + number, `${number} `))
    await Promise.all(contents.map(async (content) => put(files, 'a', content)))
    const content = (await contentOf(files, 'a'))!
    expect(contents.some((one) => one.equals(content))).toBe(true)
    expect(index.get('a')?.etag).toBe(md5(content))
  })
}

function conditions(open: Open): void {
  test('a condition that does not hold changes nothing', async () => {
    const { files } = await open()
    expect(await put(files, 'a', 'x', { ifMatch: ['*'] })).toBe('failed-condition')
    expect(await put(files, 'a', 'x', { ifMatch: [md5('x')] })).toBe('failed-condition')
    expect(await put(files, 'a', 'one', { ifNoneMatch: ['*'] })).toMatchObject({ entry: { size: 3 } })
    expect(await put(files, 'a', 'two', { ifNoneMatch: ['*'] })).toBe('failed-condition')
    expect(await put(files, 'a', 'two', { ifNoneMatch: ['other', md5('one')] })).toBe('failed-condition')
    expect(await put(files, 'a', 'two', { ifMatch: ['other'] })).toBe('failed-condition')
    expect(String(await contentOf(files, 'a'))).toBe('one')
    expect(await put(files, 'a', 'two', { ifMatch: ['other', md5('one')] })).toMatchObject({ entry: { size: 3 } })
    expect(String(await contentOf(files, 'a'))).toBe('two')
  })

  test('of many that put a key only where there is none, one succeeds', async () => {
    const { files } = await open()
    const results = await Promise.all(
      Array.from({ length: 16 }, async (_, number) => put(files, 'lock', `${number}`, { ifNoneMatch: ['*'] })),
    )
    expect(results.filter((result) => result !== 'failed-condition')).toHaveLength(1)
  })

  test('a condition is looked at when the body has come, not before', async () => {
    const { files, write } = await open()
    const body = (async function* () {
      yield Buffer.from('late')
      await write('a', 'sooner')
    })()
    expect(await files.put('a', body, { ifNoneMatch: ['*'] })).toBe('failed-condition')
    expect(String(await contentOf(files, 'a'))).toBe('sooner')
  })
}

function refusals(open: Open): void {
  test.for<[string, PutOptions]>([
    ['MD5', { md5: md5('other') }],
    ['SHA-256', { sha256: sha256('other') }],
    ['size, too short', { size: 8 }],
    ['size, too long', { size: 6 }],
  ])('a body of another %s is CORRUPT and changes nothing', async ([, options]) => {
    const { files, index, leftovers } = await open()
    await put(files, 'a', 'before!')
    await expect(put(files, 'a', 'content', options)).rejects.toMatchObject({ code: 'CORRUPT' })
    await expect(put(files, 'new/one', 'content', options)).rejects.toMatchObject({ code: 'CORRUPT' })
    expect(String(await contentOf(files, 'a'))).toBe('before!')
    expect(index.page({ prefix: '', after: '', limit: 9 }).map(({ key }) => key)).toEqual(['a'])
    expect(await leftovers()).toEqual([])
  })

  test('a body as announced is taken', async () => {
    const { files } = await open()
    const seen: (string | undefined)[] = []
    const check = (chunk: Uint8Array | undefined): void =>
      void seen.push(chunk === undefined ? undefined : String(Buffer.from(chunk)))
    const options = { md5: md5('content'), sha256: sha256('content'), size: 7, check }
    expect(await put(files, 'a', 'content', options)).toMatchObject({ entry: { size: 7 } })
    expect(seen.at(-1)).toBeUndefined()
    expect(seen.slice(0, -1).join('')).toBe('content')
  })

  test('what the body, the check or the signal throws comes out, and nothing has changed', async () => {
    const { files, index, leftovers } = await open()
    const broken = (async function* () {
      yield LARGE
      throw new Error('cut off')
    })()
    await expect(files.put('a', broken, {})).rejects.toThrow('cut off')
    const check = (chunk: Uint8Array | undefined): void => {
      if (chunk === undefined) throw new Error('wrong checksum')
    }
    await expect(put(files, 'a', 'content', { check })).rejects.toThrow('wrong checksum')
    const controller = new AbortController()
    const slow = (async function* () {
      yield LARGE
      controller.abort(new Error('enough'))
      yield LARGE
    })()
    await expect(files.put('a', slow, { signal: controller.signal })).rejects.toThrow('enough')
    expect(index.get('a')).toBeUndefined()
    expect(await files.open('a')).toBeUndefined()
    expect(await leftovers()).toEqual([])
  })

  test('a half that was put is never seen', async () => {
    const { files, index, write } = await open()
    await write('a', 'before')
    const body = (async function* () {
      yield LARGE
      expect(String(await contentOf(files, 'a'))).toBe('before')
      expect(index.page({ prefix: '', after: '', limit: 9 }).length).toBeLessThan(2)
      yield LARGE
    })()
    await files.put('a', body, {})
    expect((await contentOf(files, 'a'))?.byteLength).toBe(2 * LARGE.byteLength)
  })

  test('a folder in the place of a file, and a file in that of a folder, are BAD_REQUEST', async () => {
    const { files } = await open()
    await put(files, 'a/b', 'x')
    await expect(put(files, 'a', 'x')).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    await expect(put(files, 'a/b/c', 'x')).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    expect(String(await contentOf(files, 'a/b'))).toBe('x')
  })
}

function removing(open: Open): void {
  test('what was removed is gone, once', async () => {
    const { files, index, write } = await open()
    await put(files, 'a/b/c', 'x')
    await write('by-another', 'x')
    expect(await files.remove('a/b/c')).toBe('removed')
    expect(await files.remove('a/b/c')).toBe('absent')
    expect(await files.remove('by-another')).toBe('removed')
    expect(await files.remove('never')).toBe('absent')
    expect(index.page({ prefix: '', after: '', limit: 9 })).toEqual([])
    expect(await put(files, 'a', 'a folder that is empty is in nobody’s way')).toMatchObject({ entry: { key: 'a' } })
  })

  test('a removal has conditions too, and a folder is not removed', async () => {
    const { files } = await open()
    await put(files, 'a/b', 'x')
    expect(await files.remove('a/b', { ifMatch: ['other'] })).toBe('failed-condition')
    expect(await files.remove('a')).toBe('absent')
    expect(String(await contentOf(files, 'a/b'))).toBe('x')
    expect(await files.remove('a/b', { ifMatch: [md5('x')] })).toBe('removed')
  })
}
