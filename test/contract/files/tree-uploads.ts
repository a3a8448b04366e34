import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import type { TreeFiles } from '../../../src/core/files/tree-files.ts'
import type { PartOptions, TreeUploads, UploadPart } from '../../../src/core/files/tree-uploads.ts'
import type { TreeIndex } from '../../../src/core/files/tree-index.ts'

/** Uploads into an empty folder, with its files and index. */
export interface UploadsOfTree {
  readonly uploads: TreeUploads
  readonly files: TreeFiles
  readonly index: TreeIndex
  /** Stops and opens again over the same folders; absent where uploads live in memory only. */
  readonly reopen?: () => Promise<UploadsOfTree>
}

const md5 = (content: Uint8Array | string): string => createHash('md5').update(content).digest('hex')
const ALL = { after: 0, limit: 10_000 }

async function* chunks(content: Uint8Array | string): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content)
  for (let at = 0; at < bytes.byteLength; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

async function contentOf(files: TreeFiles, key: string): Promise<string | undefined> {
  const file = await files.open(key)
  if (file === undefined) return undefined
  const content = await buffer(file.read(0, file.entry.size))
  await file.close()
  return String(content)
}

/** What every `TreeUploads` does. `open` makes one over an empty folder, and is called in each test. */
export function treeUploadsContract(
  name: string,
  open: () => Promise<UploadsOfTree>,
  { lasts } = { lasts: true },
): void {
  const putPart = async (
    uploads: TreeUploads,
    [key, id]: readonly [string, string],
    number: number,
    content: Uint8Array | string,
    options: PartOptions = {},
  ): Promise<UploadPart> => uploads.putPart(key, id, number, chunks(content), options)

  describe(name, () => {
    test('parts in any order become one file, which nobody sees before', async () => {
      const { uploads, files, index } = await open()
      const key = 'a/b/ü //odd'
      const facts = { headers: { 'content-type': 'text/plain' } }
      const id = await uploads.create(key, { facts })
      expect(id).toMatch(/^[A-Za-z0-9_-]{1,128}$/)
      expect(await uploads.find(key, id)).toMatchObject({ key, id, facts })
      const large = Buffer.alloc(1_500_000, 'part ')
      for (const [number, content] of [
        [10_000, 'end'],
        [7, large],
        [1, 'begin, replaced'],
        [1, 'begin'],
      ] as const) {
        const part = await putPart(uploads, [key, id], number, content)
        expect(part).toMatchObject({ number, size: content.length, etag: md5(content) })
      }
      expect(await files.open(key)).toBeUndefined()
      expect(index.page({ prefix: '', after: '', limit: 9 })).toEqual([])
      const parts = (await uploads.parts(key, id, ALL))!
      expect(parts.map(({ number }) => number)).toEqual([1, 7, 10_000])
      const result = await uploads.complete(key, id, { parts, facts: { ...facts, etag: 'of-3' }, modifiedMs: 1.6e12 })
      expect(result).toMatchObject({ entry: { key, size: 1_500_008, etag: 'of-3', modifiedMs: 1.6e12 } })
      expect(await contentOf(files, key)).toBe(`begin${large.toString()}end`)
      expect(index.get(key)?.etag).toBe('of-3')
      expect(await uploads.find(key, id)).toBeUndefined()
      expect(await uploads.parts(key, id, ALL)).toBeUndefined()
    })

    test('only the parts that are named are joined', async () => {
      const { uploads, files } = await open()
      const id = await uploads.create('a', {})
      for (const number of [1, 2, 3]) await putPart(uploads, ['a', id], number, `${number}`)
      const parts = (await uploads.parts('a', id, ALL))!
      await uploads.complete('a', id, { parts: [parts[0]!, parts[2]!], facts: { etag: 'x' } })
      expect(await contentOf(files, 'a')).toBe('13')
    })

    test('a part keeps the ETag and the headers of its facts, and is verified', async () => {
      const { uploads } = await open()
      const id = await uploads.create('a', {})
      const facts = () => ({ etag: 'promised', headers: { 'x-amz-checksum-crc32': 'AAAAAA==' } })
      expect(await putPart(uploads, ['a', id], 1, 'x', { facts })).toMatchObject({ etag: 'promised' })
      expect(await uploads.parts('a', id, ALL)).toMatchObject([{ etag: 'promised', headers: facts().headers }])
      await expect(putPart(uploads, ['a', id], 1, 'other', { md5: md5('x') })).rejects.toMatchObject({
        code: 'CORRUPT',
      })
      const check = (): void => {
        throw new Error('no')
      }
      await expect(putPart(uploads, ['a', id], 1, 'other', { check })).rejects.toThrow('no')
      expect(await uploads.parts('a', id, ALL)).toMatchObject([{ number: 1, size: 1, etag: 'promised' }])
    })

    test('parts are listed in pages', async () => {
      const { uploads } = await open()
      const id = await uploads.create('a', {})
      for (let number = 1; number <= 5; number++) await putPart(uploads, ['a', id], number, 'x')
      const page = async (after: number, limit: number) =>
        (await uploads.parts('a', id, { after, limit }))!.map(({ number }) => number)
      expect(await page(0, 2)).toEqual([1, 2])
      expect(await page(2, 2)).toEqual([3, 4])
      expect(await page(4, 2)).toEqual([5])
      expect(await page(5, 2)).toEqual([])
    })

    test('uploads are listed by key and id, in pages', async () => {
      const { uploads } = await open()
      const pairs: (readonly [string, string])[] = []
      for (const key of ['b', 'a', 'b', 'c/x', 'b']) pairs.push([key, await uploads.create(key, {})])
      const order = (left: readonly [string, string], right: readonly [string, string]): number =>
        left[0] === right[0] ? (left[1] < right[1] ? -1 : 1) : left[0] < right[0] ? -1 : 1
      const all = pairs.toSorted(order)
      const page = async (prefix: string, [afterKey, afterId]: readonly [string, string], limit: number) =>
        (await uploads.list({ prefix, afterKey, afterId, limit })).map(({ key, id }) => [key, id])
      expect(await page('', ['', ''], 99)).toEqual(all)
      expect(await page('', all[1]!, 2)).toEqual(all.slice(2, 4))
      expect(await page('c/', ['', ''], 99)).toEqual(all.slice(-1))
      expect(await uploads.abort(...all[0]!)).toBe(true)
      expect(await page('', ['', ''], 99)).toEqual(all.slice(1))
    })

    test('an upload that is not there, or of another key, is NOT_FOUND', async () => {
      const { uploads } = await open()
      const id = await uploads.create('a', {})
      for (const [key, other] of [
        ['a', 'no-such'],
        ['b', id],
        ['a', '../a'],
        ['a', ''],
      ] as const) {
        expect(await uploads.find(key, other)).toBeUndefined()
        expect(await uploads.parts(key, other, ALL)).toBeUndefined()
        expect(await uploads.abort(key, other)).toBe(false)
        await expect(putPart(uploads, [key, other], 1, 'x')).rejects.toMatchObject({ code: 'NOT_FOUND' })
        const complete = uploads.complete(key, other, { parts: [], facts: { etag: 'x' } })
        await expect(complete).rejects.toMatchObject({ code: 'NOT_FOUND' })
      }
    })

    test('a part that is missing or another is CHANGED, and the upload stays', async () => {
      const { uploads, files } = await open()
      const id = await uploads.create('a', {})
      const part = await putPart(uploads, ['a', id], 1, 'x')
      for (const parts of [[{ number: 2, etag: part.etag }], [{ number: 1, etag: 'other' }]]) {
        await expect(uploads.complete('a', id, { parts, facts: {} })).rejects.toMatchObject({ code: 'CHANGED' })
      }
      expect(await files.open('a')).toBeUndefined()
      expect(await uploads.complete('a', id, { parts: [part], facts: { etag: 'y' } })).toMatchObject({
        entry: { size: 1 },
      })
    })

    test('a condition that fails leaves file and upload as they are', async () => {
      const { uploads, files } = await open()
      await files.put('a', chunks('there'), {})
      const id = await uploads.create('a', {})
      const part = await putPart(uploads, ['a', id], 1, 'x')
      const options = { parts: [part], facts: { etag: 'y' } }
      expect(await uploads.complete('a', id, { ...options, ifNoneMatch: ['*'] })).toBe('failed-condition')
      expect(await contentOf(files, 'a')).toBe('there')
      expect(await uploads.complete('a', id, { ...options, ifMatch: [md5('there')] })).toMatchObject({ entry: {} })
      expect(await contentOf(files, 'a')).toBe('x')
    })

    test('an upload with an id of the client’s is begun once', async () => {
      const { uploads } = await open()
      expect(await uploads.create('a', { id: '1234567890' })).toBe('1234567890')
      await putPart(uploads, ['a', '1234567890'], 1, 'x')
      expect(await uploads.create('a', { id: '1234567890' })).toBe('1234567890')
      expect(await uploads.parts('a', '1234567890', ALL)).toHaveLength(1)
    })

    test('many parts are put at once', async () => {
      const { uploads, files } = await open()
      const id = await uploads.create('a', {})
      await Promise.all(Array.from({ length: 20 }, async (_, at) => putPart(uploads, ['a', id], at + 1, `${at},`)))
      const parts = (await uploads.parts('a', id, ALL))!
      await uploads.complete('a', id, { parts, facts: { etag: 'x' } })
      expect(await contentOf(files, 'a')).toBe(`${Array.from({ length: 20 }, (_, at) => at).join()},`)
    })

    const ofLasting = lasts ? test : undefined
    ofLasting?.('uploads and their parts survive a restart', async () => {
      const before = await open()
      const id = await before.uploads.create('a', { facts: { headers: { 'content-type': 'x/y' } } })
      await putPart(before.uploads, ['a', id], 1, 'x')
      const { uploads, files } = await before.reopen!()
      expect(await uploads.find('a', id)).toMatchObject({ facts: { headers: { 'content-type': 'x/y' } } })
      const parts = (await uploads.parts('a', id, ALL))!
      expect(parts).toMatchObject([{ number: 1, size: 1, etag: md5('x') }])
      await uploads.complete('a', id, { parts, facts: { etag: 'y' } })
      expect(await contentOf(files, 'a')).toBe('x')
    })
  })
}
