import { text } from 'node:stream/consumers'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sha256 } from '../../src/lib/hash.ts'
import type { BlobStore } from '../../src/releases/blobs.ts'

const LIMIT = { limitBytes: 1024 * 1024 }

async function* pieces(...texts: readonly string[]): AsyncGenerator<Uint8Array, void> {
  for (const piece of texts) yield Buffer.from(piece)
}

async function* breakingOff(...texts: readonly string[]): AsyncGenerator<Uint8Array, void> {
  yield* pieces(...texts)
  throw new Error('connection lost')
}

/** What every `BlobStore` does. `open` makes an empty one. */
export function blobStoreContract(name: string, open: () => Promise<BlobStore>): void {
  describe(`${name} as a store of blobs`, () => {
    test('what was put is held under its hash, whole or from an offset', async () => {
      const blobs = await open()
      const content = 'x'.repeat(700_000)
      const hash = sha256(content)
      await blobs.put(hash, pieces(content.slice(0, 10), content.slice(10)), LIMIT)
      expect(await blobs.has(hash)).toBe(true)
      expect(await blobs.sizes([hash, sha256('other')])).toEqual(new Map([[hash, 700_000]]))
      expect(Buffer.from(await blobs.read(hash)).toString()).toBe(content)
      expect(await text(await blobs.open(hash))).toBe(content)
      expect(await text(await blobs.open(hash, { offset: 699_990 }))).toBe('x'.repeat(10))
    })

    test('missing names each absent blob once, in the order asked', async () => {
      const blobs = await open()
      const [a, b, c] = [sha256('a'), sha256('b'), sha256('c')]
      await blobs.put(b, Buffer.from('b'), LIMIT)
      expect(await blobs.missing([c, b, a, c])).toEqual([c, a])
    })

    test.for([
      ['bytes of another hash', sha256('other'), () => pieces('it'), 'CORRUPT'],
      ['more bytes than allowed', sha256('12345'), () => pieces('123', '45'), 'TOO_LARGE'],
      ['a name that leads elsewhere', '../../etc/passwd', () => pieces('x'), 'BAD_REQUEST'],
      ['an upper-case name', sha256('x').toUpperCase(), () => pieces('x'), 'BAD_REQUEST'],
    ] as const)('refuses %s', async ([, hash, content, code]) => {
      const blobs = await open()
      await expect(blobs.put(hash, content(), { limitBytes: 4 })).rejects.toMatchObject({ code })
    })

    test('a source that breaks off, or a caller that aborts, leaves no blob', async () => {
      const blobs = await open()
      await expect(blobs.put(sha256('ab'), breakingOff('a'), LIMIT)).rejects.toThrow('connection lost')
      const controller = new AbortController()
      async function* aborting(): AsyncGenerator<Uint8Array, void> {
        yield Buffer.from('a')
        controller.abort(new Error('enough'))
        yield Buffer.from('b')
      }
      const put = blobs.put(sha256('ab'), aborting(), { ...LIMIT, signal: controller.signal })
      await expect(put).rejects.toThrow('enough')
      expect(await blobs.has(sha256('ab'))).toBe(false)
    })

    test('the content of a blob that is held is not even read', async () => {
      const blobs = await open()
      await blobs.put(sha256('a'), Buffer.from('a'), LIMIT)
      await blobs.put(sha256('a'), breakingOff(), LIMIT)
    })

    test('deferred puts count as held, and asking for them makes them durable', async () => {
      const blobs = await open()
      const contents = Array.from({ length: 300 }, (_, index) => Buffer.from(`blob ${index}`))
      await Promise.all(contents.map(async (bytes) => blobs.put(sha256(bytes), bytes, { ...LIMIT, deferred: true })))
      expect(await blobs.missing(contents.map(sha256))).toEqual([])
      await blobs.sync()
    })

    test('a blob that is not there is NOT_FOUND', async () => {
      const blobs = await open()
      await expect(blobs.open(sha256('a'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
      await expect(blobs.read(sha256('a'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
      await expect(blobs.read('../a')).rejects.toMatchObject({ code: 'BAD_REQUEST' })
      await expect(blobs.sizes(['../a'])).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    })

    test('a sweep keeps what it is told to and what is young', async () => {
      const blobs = await open()
      for (const content of ['kept', 'other']) await blobs.put(sha256(content), Buffer.from(content), LIMIT)
      expect(await blobs.sweep(new Set(), 3_600_000)).toEqual({ removed: 0, bytes: 0 })
      expect(await blobs.sweep(new Set([sha256('kept')]), -60_000)).toEqual({ removed: 1, bytes: 5 })
      expect(await blobs.missing(['kept', 'other'].map(sha256))).toEqual([sha256('other')])
    })

    test('any content in any pieces comes back unchanged', async () => {
      const blobs = await open()
      await fc.assert(
        fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 8 }), async (chunks) => {
          const whole = Buffer.concat(chunks)
          async function* stream(): AsyncGenerator<Uint8Array, void> {
            yield* chunks
          }
          await blobs.put(sha256(whole), stream(), LIMIT)
          expect(Buffer.compare(Buffer.from(await blobs.read(sha256(whole))), whole)).toBe(0)
        }),
        { numRuns: 50 },
      )
    })
  })
}
