import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { compareKeys, type FileEntry } from '../../../src/core/files/entry.ts'
import type { FileSource, ListScope } from '../../../src/core/files/source.ts'
import { collect } from '../../helpers/collect.ts'

/** A source, and the place where its files are. */
export interface TestSource {
  readonly source: FileSource
  /** As another program does, whole at once. */
  readonly write: (key: string, content: Uint8Array | string, modifiedMs?: number) => Promise<void>
  readonly remove: (key: string) => Promise<void>
}

export interface SourceAbilities {
  /** What keys it can have: any, or such as a file of Open-Meteo has. */
  readonly keys: 'any' | 'plain'
  /** Everything can be asked for at once; otherwise only what lies in some folder. */
  readonly listsAll: boolean
}

const MODIFIED_MS = 1_790_000_000_000

/** Odd, but keys all the same. */
export const ODD_KEYS = [
  ' leading space',
  '%2F',
  '%zz',
  '..',
  '../up',
  './here',
  '/leading slash',
  'a one',
  'a+b',
  'a-b',
  'a/../b',
  'a//b',
  'a/B',
  'a/b/2',
  'a&b<c>"d\'e',
  'a?b=c&d#e',
  'a;b=c',
  'back\\slash',
  'line\nbreak\ttab',
  'trailing/.',
  'z'.repeat(300),
  `${'long/'.repeat(190)}x`,
  'ü',
  'u\u0308',
  '\u{1F300}',
  '\uFFFD',
  '\u007f',
] as const

/** What every `FileSource` does. `open` makes one that has these files, each of them changed last at the same time. */
export function fileSourceContract(
  name: string,
  { keys, listsAll }: SourceAbilities,
  open: (files: Readonly<Record<string, string | Uint8Array>>, modifiedMs: number) => Promise<TestSource>,
): void {
  const large = Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, index) => index % 251))
  const files = {
    'data/icon/static/meta.json': '{}',
    'data/icon/temperature_2m/chunk_1.om': 'one',
    'data/icon/temperature_2m/chunk_2.om': large,
    'data/icon/temperature_2m_member01/chunk_1.om': 'member',
    'data/gfs/rain/chunk_1.om': '',
  }
  const all: ListScope = listsAll ? {} : { prefixes: ['data/'] }
  const opened = async (some: Readonly<Record<string, string | Uint8Array>> = files): Promise<TestSource> =>
    await open(some, MODIFIED_MS)
  const list = async (source: FileSource, scope: ListScope = all): Promise<FileEntry[]> =>
    (await collect(source.list(scope))).flat()
  const entryOf = async (source: FileSource, key: string): Promise<FileEntry> => {
    const entry = (await list(source)).find((one) => one.key === key)
    if (entry === undefined) throw new Error(`${key} is not listed`)
    return entry
  }
  const read = async (
    source: FileSource,
    entry: FileEntry,
    range?: { start?: number; end?: number },
  ): Promise<Buffer> => await buffer(await source.open(entry, range))

  describe(`${name} as a source of files`, () => {
    test('lists everything with sizes and times, in order where it says so', async () => {
      const { source } = await opened()
      const entries = await list(source)
      const wanted = Object.keys(files).toSorted(compareKeys)
      const listed = entries.map(({ key }) => key)
      expect(source.sorted ? listed : listed.toSorted(compareKeys)).toEqual(wanted)
      for (const { key, size, modifiedMs } of entries) {
        expect(size).toBe(Buffer.from(files[key as keyof typeof files]).byteLength)
        expect(Math.abs(modifiedMs - MODIFIED_MS)).toBeLessThan(1000)
      }
    })

    test('an empty tree is listed as such', async () => {
      expect(await list((await opened({})).source)).toEqual([])
    })

    test.for([
      [['data/icon/']],
      [['data/icon/temperature_2m']],
      [['data/icon/temperature_2m/chunk_1.om', 'data/gfs/']],
      [['data/icon/', 'data/icon/static/', 'data/icon/']],
      [['data/none/']],
    ])('leaves out nothing that starts with %j', async ([prefixes = []]) => {
      const { source } = await opened()
      const wanted = Object.keys(files).filter((key) => prefixes.some((prefix) => key.startsWith(prefix)))
      const listed = new Set((await list(source, { prefixes })).map(({ key }) => key))
      for (const key of wanted) expect(listed.has(key)).toBe(true)
      for (const key of listed) expect(Object.keys(files)).toContain(key)
    })

    test('leaves out nothing in folders that are worth entering', async () => {
      const { source } = await opened()
      const asked: string[] = []
      const enters = (folder: string): boolean => {
        asked.push(folder)
        return !folder.startsWith('data/icon/temperature_2m/')
      }
      const listed = (await list(source, { ...all, enters })).map(({ key }) => key)
      for (const key of Object.keys(files)) {
        if (!key.startsWith('data/icon/temperature_2m/')) expect(listed).toContain(key)
      }
      for (const folder of asked) expect(folder).toMatch(/\/$/)
    })

    test('lists more files than fit into one page', async () => {
      const many = Object.fromEntries(Array.from({ length: 2500 }, (_, index) => [`data/many/f${index}`, 'x']))
      const { source } = await opened(many)
      const listed = (await list(source)).map(({ key }) => key)
      expect(listed.toSorted(compareKeys)).toEqual(Object.keys(many).toSorted(compareKeys))
    })

    test('reads whole files, small, large and empty ones', async () => {
      const { source } = await opened()
      for (const entry of await list(source)) {
        const content = Buffer.from(files[entry.key as keyof typeof files])
        expect((await read(source, entry)).equals(content)).toBe(true)
      }
    })

    test('reads exactly the part asked for', async () => {
      const { source } = await opened()
      const entry = await entryOf(source, 'data/icon/temperature_2m/chunk_2.om')
      for (const [start, end] of [
        [0, 1],
        [2_999_999, 3_000_000],
        [65_535, 65_537],
        [1_000_000, 2_500_000],
        [1, 3_000_000],
        [2_000_000, 9_000_000],
      ] as const) {
        expect((await read(source, entry, { start, end })).equals(large.subarray(start, end))).toBe(true)
      }
      expect((await read(source, entry, { start: 2_500_000 })).equals(large.subarray(2_500_000))).toBe(true)
      expect((await read(source, entry, { end: 10 })).equals(large.subarray(0, 10))).toBe(true)
      for (const start of [0, 5, 3_000_000])
        expect((await read(source, entry, { start, end: start })).byteLength).toBe(0)
      expect((await read(source, entry, { start: 4_000_000 })).byteLength).toBe(0)
    })

    test('many files can be read at once', async () => {
      const many = Object.fromEntries(
        Array.from({ length: 60 }, (_, index) => [`data/m/f${index}`, `content ${index}`]),
      )
      const { source } = await opened(many)
      const entries = await list(source)
      const contents = await Promise.all(entries.map(async (entry) => String(await read(source, entry))))
      expect(contents).toEqual(entries.map(({ key }) => many[key]))
    })

    test.for([
      ['size', 'longer than before', MODIFIED_MS],
      ['time', 'two', MODIFIED_MS + 86_400_000 + 7000],
    ] as const)('a file of another %s than was listed is CHANGED', async ([, content, modifiedMs]) => {
      const { source, write } = await opened()
      const entry = await entryOf(source, 'data/icon/temperature_2m/chunk_1.om')
      await write(entry.key, content, modifiedMs)
      await expect(read(source, entry)).rejects.toMatchObject({ code: 'CHANGED' })
      expect(String(await read(source, await entryOf(source, entry.key)))).toBe(content)
    })

    test('a large file of which a part is asked for is CHANGED when it was replaced since it was listed', async () => {
      const { source, write } = await opened()
      const entry = await entryOf(source, 'data/icon/temperature_2m/chunk_2.om')
      await write(entry.key, Buffer.alloc(large.byteLength, 1), MODIFIED_MS + 86_400_000 + 7000)
      await expect(read(source, entry, { start: 1000, end: 2_000_000 })).rejects.toMatchObject({ code: 'CHANGED' })
    })

    test('a file that is gone is NOT_FOUND', async () => {
      const { source, remove } = await opened()
      const small = await entryOf(source, 'data/icon/temperature_2m/chunk_1.om')
      const other = await entryOf(source, 'data/icon/temperature_2m/chunk_2.om')
      await remove(small.key)
      await remove(other.key)
      await expect(read(source, small)).rejects.toMatchObject({ code: 'NOT_FOUND' })
      await expect(read(source, other, { start: 5 })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    })

    test('reading and listing can stop early, and be aborted', async () => {
      const { source } = await opened()
      const entry = await entryOf(source, 'data/icon/temperature_2m/chunk_2.om')
      for await (const chunk of await source.open(entry)) {
        expect(chunk.byteLength).toBeGreaterThan(0)
        break
      }
      for await (const page of source.list(all)) {
        expect(page.length).toBeGreaterThan(0)
        break
      }
      const signal = AbortSignal.abort(new Error('enough'))
      await expect(source.open(entry, { signal })).rejects.toThrow('enough')
      await expect(collect(source.list({ ...all, signal }))).rejects.toThrow('enough')
      const controller = new AbortController()
      const chunks = (await source.open(entry, { signal: controller.signal }))[Symbol.asyncIterator]()
      await chunks.next()
      controller.abort(new Error('enough'))
      const drain = async (): Promise<void> => {
        for (let next = await chunks.next(); next.done !== true;) next = await chunks.next()
      }
      await expect(drain()).rejects.toThrow('enough')
      expect((await read(source, entry)).equals(large)).toBe(true)
    })

    test('says what it is, and closes', async () => {
      const { source } = await opened()
      expect(source.name).toMatch(/^(s3|flotilla|open-meteo|folder) \S/)
      await source.close()
    })

    const ofAnyKey = keys === 'any' ? test : undefined
    ofAnyKey?.('has keys of every kind, each with its own content', async () => {
      const odd = Object.fromEntries(ODD_KEYS.map((key, index) => [key, `content ${index}`]))
      const { source } = await opened(odd)
      const entries = await list(source)
      const listed = entries.map(({ key }) => key)
      expect(source.sorted ? listed : listed.toSorted(compareKeys)).toEqual([...ODD_KEYS].toSorted(compareKeys))
      for (const entry of entries) expect(String(await read(source, entry))).toBe(odd[entry.key])
    })
  })
}
