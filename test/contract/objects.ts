import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { blobKey, type ObjectReader, type ObjectSource } from '../../src/core/objects.ts'
import { sha256 } from '../../src/lib/hash.ts'
import { collect } from '../helpers/collect.ts'

const keyOf = (content: Uint8Array): string => blobKey(sha256(content))

/** What every `ObjectReader` does. `open` makes one that holds these contents as blobs. */
export function objectReaderContract(
  name: string,
  open: (contents: readonly Uint8Array[]) => Promise<ObjectReader>,
): void {
  const large = Buffer.alloc(1_000_000, 'flotilla')

  describe(`${name} as a reader of objects`, () => {
    test('reads whole objects and from an offset, small, large and empty ones', async () => {
      const contents = [Buffer.from('small'), large, Buffer.alloc(0)]
      const source = await open(contents)
      for (const content of contents) {
        expect((await buffer(await source.open(keyOf(content)))).equals(content)).toBe(true)
      }
      for (const offset of [1, 65_536, 999_999, 1_000_000, 2_000_000]) {
        const rest = await buffer(await source.open(keyOf(large), { offset }))
        expect(rest.equals(large.subarray(offset))).toBe(true)
      }
    })

    test('many objects can be read at once', async () => {
      const contents = Array.from({ length: 40 }, (_, index) => Buffer.from(`content ${index}`))
      const source = await open(contents)
      const read = await Promise.all(contents.map(async (content) => buffer(await source.open(keyOf(content)))))
      expect(read.map(String)).toEqual(contents.map(String))
    })

    test('an object that is not there is NOT_FOUND', async () => {
      const source = await open([Buffer.from('a')])
      for (const key of [keyOf(Buffer.from('b')), 'no/such/key']) {
        await expect(source.open(key)).rejects.toMatchObject({ code: 'NOT_FOUND' })
      }
    })

    test.for(['', '/etc/passwd', '../a', 'a/../../b', 'a//b', 'a\\b', 'a\0b', 'C:a'])(
      'the key %j is refused, for it is not inside',
      async (key) => {
        const source = await open([])
        await expect(source.open(key)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
      },
    )

    test('reading can stop early, and be aborted', async () => {
      const source = await open([large])
      for await (const chunk of await source.open(keyOf(large))) {
        expect(chunk.byteLength).toBeGreaterThan(0)
        break
      }
      const signal = AbortSignal.abort(new Error('enough'))
      await expect(source.open(keyOf(large), { signal })).rejects.toThrow('enough')
      const controller = new AbortController()
      const stream = (await source.open(keyOf(large), { signal: controller.signal }))[Symbol.asyncIterator]()
      await stream.next()
      controller.abort(new Error('enough'))
      const drain = async (): Promise<void> => {
        for (let next = await stream.next(); next.done !== true;) next = await stream.next()
      }
      await expect(drain()).rejects.toThrow('enough')
      expect((await buffer(await source.open(keyOf(large)))).byteLength).toBe(1_000_000)
    })

    test('says what it is', async () => {
      expect((await open([])).name).toMatch(/^(folder|hub|peer) \S/)
    })
  })
}

/** What every `ObjectSource` does besides. `open` makes one that holds these objects. */
export function objectSourceContract(
  name: string,
  open: (objects: Readonly<Record<string, string>>) => Promise<ObjectSource>,
): void {
  describe(`${name} as a source of objects`, () => {
    const objects = { 'a/1': 'one', 'a/b/2': 'two', 'a-b': 'three', ab: 'four', ü: 'five', 'a/B': '' }

    test('lists what starts with a prefix, sorted by key', async () => {
      const source = await open(objects)
      const list = async (prefix: string): Promise<string[]> =>
        (await collect(source.list({ prefix }))).map(({ key }) => key)
      const all = Object.keys(objects).toSorted()
      expect(await list('')).toEqual(all)
      for (const prefix of ['a', 'a/', 'a/b', 'a/b/', 'a/b/2', 'z', 'a/b/2/']) {
        expect(await list(prefix)).toEqual(all.filter((key) => key.startsWith(prefix)))
      }
    })

    test('tells sizes, dates and a tag that changes with the object', async () => {
      const [object] = await collect((await open({ a: '12345' })).list({ prefix: '' }))
      expect(object).toMatchObject({ key: 'a', size: 5 })
      expect(Math.abs(Date.now() - (object?.modifiedMs ?? 0))).toBeLessThan(60_000)
      const [other] = await collect((await open({ a: '123456' })).list({ prefix: '' }))
      expect(other?.etag).not.toBe(object?.etag)
    })

    test('listing can be aborted', async () => {
      const source = await open(objects)
      const signal = AbortSignal.abort(new Error('enough'))
      await expect(collect(source.list({ prefix: '', signal }))).rejects.toThrow('enough')
    })
  })
}
