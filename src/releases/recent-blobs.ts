import { FlotillaError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import { sha256 } from '../lib/hash.ts'
import { type BlobContent, type BlobStore, checkHash, type PutOptions, type Swept } from './blobs.ts'

export interface RecentLimits {
  /** Of all that are kept in memory, and of all that wait to be written. */
  readonly totalBytes: number
  /** Larger blobs are not kept. */
  readonly blobBytes: number
}

/**
 * Keeps the small blobs that were put or read last in memory as well: every node asks for the same few right after a
 * release, and a node reads what it has just fetched. What is under a hash never changes, so nothing can be stale.
 * A small blob that is put with `deferred` can be read at once, while it is being written.
 */
export class RecentBlobs implements BlobStore {
  readonly #inner: BlobStore
  readonly #limits: RecentLimits
  /** Least recently used first. */
  readonly #recent = new Map<string, Uint8Array>()
  readonly #writing = new Map<string, Promise<void>>()
  #recentBytes = 0
  #writingBytes = 0

  constructor(inner: BlobStore, limits: RecentLimits) {
    this.#inner = inner
    this.#limits = limits
  }

  async sizes(hashes: Iterable<string>, op?: Op): Promise<ReadonlyMap<string, number>> {
    return await this.#inner.sizes(await this.#written(hashes), op)
  }

  async missing(hashes: Iterable<string>, op?: Op): Promise<readonly string[]> {
    return await this.#inner.missing(await this.#written(hashes), op)
  }

  async has(hash: string, op?: Op): Promise<boolean> {
    await this.#written([hash])
    return await this.#inner.has(hash, op)
  }

  async put(hash: string, content: BlobContent, options: PutOptions): Promise<void> {
    const chunks = content instanceof Uint8Array ? [content] : content
    if (options.deferred === true && this.#writingBytes < this.#limits.totalBytes) {
      await this.#putLater(hash, chunks, options)
      return
    }
    const copy = new Copy(this.#limits.blobBytes)
    await this.#inner.put(hash, copy.of(chunks), options)
    this.#remember(hash, copy.whole)
  }

  /** Rejects with the first error of what was put since the last time. */
  async sync(op?: Op): Promise<void> {
    const writing = [...this.#writing]
    await Promise.allSettled(writing.map(([, written]) => written))
    for (const [hash, written] of writing) {
      this.#writing.delete(hash)
      await written
    }
    await this.#inner.sync(op)
  }

  async open(hash: string, options: Op & { readonly offset?: number } = {}): Promise<AsyncIterable<Uint8Array>> {
    const recent = this.#use(hash)
    if (recent !== undefined) return once(Buffer.from(recent.subarray(options.offset ?? 0)))
    await this.#written([hash])
    const content = await this.#inner.open(hash, options)
    return (options.offset ?? 0) === 0 ? this.#copied(hash, content) : content
  }

  async read(hash: string, op?: Op): Promise<Uint8Array> {
    const recent = this.#use(hash)
    if (recent !== undefined) return Buffer.from(recent)
    await this.#written([hash])
    const bytes = await this.#inner.read(hash, op)
    if (bytes.byteLength <= this.#limits.blobBytes) this.#remember(hash, Buffer.from(bytes))
    return bytes
  }

  async sweep(keep: ReadonlySet<string>, olderThanMs: number, op?: Op): Promise<Swept> {
    this.#recent.clear()
    this.#recentBytes = 0
    return await this.#inner.sweep(keep, olderThanMs, op)
  }

  /** The hashes, once none of them is being written. Whether that went well is told by `sync`. */
  async #written(hashes: Iterable<string>): Promise<readonly string[]> {
    const all = [...hashes]
    await Promise.allSettled(all.flatMap((hash) => this.#writing.get(hash) ?? []))
    return all
  }

  /** Takes a small blob and writes it later; a large one is written as it comes. */
  async #putLater(hash: string, chunks: Chunks, options: PutOptions): Promise<void> {
    checkHash(hash)
    if (this.#recent.has(hash) || this.#writing.has(hash)) return
    const start = await startOf(chunks, Math.min(this.#limits.blobBytes, options.limitBytes))
    options.signal?.throwIfAborted()
    if (start.rest !== undefined) {
      await this.#inner.put(hash, joined(start.bytes, start.rest), options)
      return
    }
    const { bytes } = start
    if (sha256(bytes) !== hash) throw new FlotillaError('CORRUPT', `the bytes are not those of blob ${hash}`)
    this.#remember(hash, bytes)
    this.#writingBytes += bytes.byteLength
    const written = this.#inner.put(hash, bytes, { limitBytes: options.limitBytes, deferred: true })
    this.#writing.set(hash, written)
    void this.#settle(hash, bytes, written)
  }

  async #settle(hash: string, { byteLength }: Uint8Array, written: Promise<void>): Promise<void> {
    try {
      await written
      this.#writing.delete(hash)
    } catch {
      // It stays among what is written, for `sync` to tell; nobody may read what will not be there.
      this.#forget(hash)
    } finally {
      this.#writingBytes -= byteLength
    }
  }

  async *#copied(hash: string, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    const copy = new Copy(this.#limits.blobBytes)
    yield* copy.of(content)
    // Only what was read to its end has been verified.
    this.#remember(hash, copy.whole)
  }

  #use(hash: string): Uint8Array | undefined {
    const bytes = this.#recent.get(hash)
    if (bytes === undefined) return undefined
    this.#recent.delete(hash)
    this.#recent.set(hash, bytes)
    return bytes
  }

  #remember(hash: string, bytes: Uint8Array | undefined): void {
    if (bytes === undefined || this.#recent.has(hash)) return
    this.#recent.set(hash, bytes)
    this.#recentBytes += bytes.byteLength
    for (const oldest of this.#recent.keys()) {
      if (this.#recentBytes <= this.#limits.totalBytes) return
      this.#forget(oldest)
    }
  }

  #forget(hash: string): void {
    this.#recentBytes -= this.#recent.get(hash)?.byteLength ?? 0
    this.#recent.delete(hash)
  }
}

type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

/** Takes a copy of what passes by, as long as it is small. */
class Copy {
  readonly #limitBytes: number
  readonly #chunks: Uint8Array[] = []
  #size = 0
  #ended = false

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  /** Undefined for what was too large, or did not pass by whole. */
  get whole(): Uint8Array | undefined {
    return this.#ended && this.#size <= this.#limitBytes ? Buffer.concat(this.#chunks) : undefined
  }

  async *of(content: Chunks): AsyncGenerator<Uint8Array, void> {
    for await (const chunk of content) {
      this.#size += chunk.byteLength
      if (this.#size <= this.#limitBytes) this.#chunks.push(Buffer.from(chunk))
      yield chunk
    }
    this.#ended = true
  }
}

interface Start {
  readonly bytes: Uint8Array
  /** What follows, where there is more than was asked for. */
  readonly rest: AsyncGenerator<Uint8Array, void> | undefined
}

async function startOf(content: Chunks, limitBytes: number): Promise<Start> {
  const source = passing(content)
  const chunks: Uint8Array[] = []
  let size = 0
  for (;;) {
    const { value, done } = await source.next()
    if (done === true) return { bytes: Buffer.concat(chunks), rest: undefined }
    chunks.push(Buffer.from(value))
    size += value.byteLength
    if (size > limitBytes) return { bytes: Buffer.concat(chunks), rest: source }
  }
}

async function* passing(content: Chunks): AsyncGenerator<Uint8Array, void> {
  yield* content
}

async function* joined(bytes: Uint8Array, rest: AsyncGenerator<Uint8Array, void>): AsyncGenerator<Uint8Array, void> {
  yield bytes
  yield* rest
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes
}
