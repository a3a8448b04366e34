import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { MemoryBlobs } from '../../test/helpers/memory-blobs.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { sha256 } from '../lib/hash.ts'
import type { BlobStore } from './blobs.ts'
import { RecentBlobs } from './recent-blobs.ts'

const LIMIT = { limitBytes: 1000 }
const DEFERRED = { ...LIMIT, deferred: true }

interface Setup {
  readonly inner: BlobStore
  readonly blobs: RecentBlobs
  /** How often the inner ones were asked for bytes. */
  readonly reads: () => number
  /** What a put of the inner ones waits for. */
  readonly gate: { put: Promise<void> | undefined }
}

function setup(): Setup {
  const inner = new MemoryBlobs(new VirtualClock())
  const gate: Setup['gate'] = { put: undefined }
  let reads = 0
  const counted: BlobStore = {
    sizes: async (hashes) => await inner.sizes(hashes),
    missing: async (hashes) => await inner.missing(hashes),
    has: async (hash) => await inner.has(hash),
    put: async (hash, content, options) => {
      await gate.put
      await inner.put(hash, content, options)
    },
    sync: async () => await inner.sync(),
    sweep: async (keep, olderThanMs) => await inner.sweep(keep, olderThanMs),
    open: async (hash, options) => {
      reads += 1
      return await inner.open(hash, options)
    },
    read: async (hash) => {
      reads += 1
      return await inner.read(hash)
    },
  }
  return { inner, blobs: new RecentBlobs(counted, { totalBytes: 20, blobBytes: 10 }), reads: () => reads, gate }
}

async function* pieces(...texts: readonly string[]): AsyncGenerator<Uint8Array, void> {
  for (const piece of texts) yield Buffer.from(piece)
}

async function readText(blobs: BlobStore, content: string): Promise<string> {
  return Buffer.from(await blobs.read(sha256(content))).toString()
}

test('what was put a moment ago is not read again', async () => {
  const { blobs, reads } = setup()
  await blobs.put(sha256('abc'), pieces('a', 'bc'), LIMIT)
  await blobs.put(sha256('def'), Buffer.from('def'), LIMIT)
  expect(await readText(blobs, 'abc')).toBe('abc')
  expect(await text(await blobs.open(sha256('def')))).toBe('def')
  expect(await text(await blobs.open(sha256('def'), { offset: 1 }))).toBe('ef')
  expect(reads()).toBe(0)
})

test('what was read a moment ago is not read again', async () => {
  const { inner, blobs, reads } = setup()
  for (const content of ['read', 'opened']) await inner.put(sha256(content), Buffer.from(content), LIMIT)
  for (let time = 0; time < 3; time++) {
    expect(await readText(blobs, 'read')).toBe('read')
    expect(await text(await blobs.open(sha256('opened')))).toBe('opened')
  }
  expect(reads()).toBe(2)
})

test('a large blob, one that was not read to its end, and a part of one are not kept', async () => {
  const { inner, blobs, reads } = setup()
  for (const content of ['larger than ten bytes', 'in pieces']) {
    await inner.put(sha256(content), Buffer.from(content), LIMIT)
  }
  await readText(blobs, 'larger than ten bytes')
  await readText(blobs, 'larger than ten bytes')
  for await (const _ of await blobs.open(sha256('in pieces'))) break
  await text(await blobs.open(sha256('in pieces'), { offset: 3 }))
  expect(await readText(blobs, 'in pieces')).toBe('in pieces')
  expect(reads()).toBe(5)
})

test('beyond the limit those that were not used for longest are let go', async () => {
  const { blobs, reads } = setup()
  const contents = ['first 10 b', 'second 10b', 'third 10 b']
  for (const content of contents.slice(0, 2)) await blobs.put(sha256(content), Buffer.from(content), LIMIT)
  await readText(blobs, 'first 10 b')
  await blobs.put(sha256('third 10 b'), Buffer.from('third 10 b'), LIMIT)
  await readText(blobs, 'first 10 b')
  await readText(blobs, 'third 10 b')
  expect(reads()).toBe(0)
  await readText(blobs, 'second 10b')
  expect(reads()).toBe(1)
})

test('whoever changes the bytes he got changes only his own', async () => {
  const { blobs } = setup()
  const given = Buffer.from('abc')
  await blobs.put(sha256('abc'), given, LIMIT)
  given.fill(0)
  ;(await blobs.read(sha256('abc'))).fill(0)
  for await (const chunk of await blobs.open(sha256('abc'))) chunk.fill(0)
  expect(await readText(blobs, 'abc')).toBe('abc')
})

test('bytes that are not those of the hash are not kept', async () => {
  const { blobs } = setup()
  await expect(blobs.put(sha256('abc'), pieces('xyz'), LIMIT)).rejects.toMatchObject({ code: 'CORRUPT' })
  await expect(blobs.read(sha256('abc'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('a blob that was put deferred can be read while it is written, and is durable after sync', async () => {
  const { inner, blobs, reads, gate } = setup()
  const put = Promise.withResolvers<void>()
  gate.put = put.promise
  await blobs.put(sha256('abc'), pieces('a', 'bc'), DEFERRED)
  expect(await readText(blobs, 'abc')).toBe('abc')
  expect(await inner.has(sha256('abc'))).toBe(false)
  const synced = blobs.sync()
  put.resolve()
  await synced
  expect(await inner.has(sha256('abc'))).toBe(true)
  expect(reads()).toBe(0)
})

test('whether a blob that is being written is there is said when it is', async () => {
  const { blobs, gate } = setup()
  const put = Promise.withResolvers<void>()
  gate.put = put.promise
  await blobs.put(sha256('abc'), pieces('abc'), DEFERRED)
  const answers = [blobs.has(sha256('abc')), blobs.missing([sha256('abc')])] as const
  put.resolve()
  expect(await Promise.all(answers)).toEqual([true, []])
})

test('a blob that could not be written is told by sync, once, and is not there', async () => {
  const { blobs, gate } = setup()
  const put = Promise.withResolvers<void>()
  gate.put = put.promise
  await blobs.put(sha256('abc'), pieces('abc'), DEFERRED)
  put.reject(new FlotillaError('DISK_FULL', 'no room'))
  await expect(blobs.sync()).rejects.toMatchObject({ code: 'DISK_FULL' })
  await expect(blobs.read(sha256('abc'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  gate.put = undefined
  await blobs.sync()
  await blobs.put(sha256('abc'), pieces('abc'), DEFERRED)
  await blobs.sync()
  expect(await readText(blobs, 'abc')).toBe('abc')
})

test('put deferred, other bytes and too many bytes are refused at once, and a large blob goes straight through', async () => {
  const { inner, blobs } = setup()
  const put = async (name: string, ...texts: readonly string[]): Promise<void> =>
    await blobs.put(sha256(name), pieces(...texts), { ...DEFERRED, limitBytes: 30 })
  await expect(put('abc', 'xyz')).rejects.toMatchObject({ code: 'CORRUPT' })
  await expect(put('abc', 'x'.repeat(20), 'x'.repeat(20))).rejects.toMatchObject({ code: 'TOO_LARGE' })
  await put('larger than ten bytes', 'larger than ', 'ten bytes')
  expect(await inner.has(sha256('larger than ten bytes'))).toBe(true)
  await expect(blobs.read(sha256('abc'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('no more waits to be written than the limit', async () => {
  const { blobs, gate } = setup()
  const put = Promise.withResolvers<void>()
  gate.put = put.promise
  const texts = ['first 10 b', 'second 10b', 'third 10 b']
  const puts = texts.map(async (content) => await blobs.put(sha256(content), pieces(content), DEFERRED))
  await Promise.all(puts.slice(0, 2))
  let done = false
  const third = blobs.put(sha256('fourth 10b'), pieces('fourth 10b'), DEFERRED).then(() => (done = true))
  await new Promise(setImmediate)
  expect(done).toBe(false)
  put.resolve()
  await Promise.all([...puts, third])
})

test('after a sweep nothing is there that was swept', async () => {
  const { blobs } = setup()
  await blobs.put(sha256('abc'), Buffer.from('abc'), LIMIT)
  await blobs.sweep(new Set(), -1)
  await expect(blobs.read(sha256('abc'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
})
