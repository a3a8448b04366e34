import type { Op } from '../core/op.ts'
import type { BlobContent, BlobStore, PutOptions, Swept } from './blobs.ts'

export interface RecentLimits {
  /** Of all that are kept in memory. */
  readonly totalBytes: number
  /** Larger blobs are not kept. */
  readonly blobBytes: number
}

/**
 * Keeps the small blobs that were put or read last in memory as well: every node asks for the same few right after a
 * release, and a node reads what it has just fetched. What is under a hash never changes, so nothing can be stale.
 */
export class RecentBlobs implements BlobStore {
  readonly #inner: BlobStore
  readonly #limits: RecentLimits
  /** Least recently used first. */
  readonly #recent = new Map<string, Uint8Array>()
  #bytes = 0

  constructor(inner: BlobStore, limits: RecentLimits) {
    this.#inner = inner
    this.#limits = limits
  }

  async sizes(hashes: Iterable<string>, op?: Op): Promise<ReadonlyMap<string, number>> {
    return await this.#inner.sizes(hashes, op)
  }

  async missing(hashes: Iterable<string>, op?: Op): Promise<readonly string[]> {
    return await this.#inner.missing(hashes, op)
  }

  async has(hash: string, op?: Op): Promise<boolean> {
    return await this.#inner.has(hash, op)
  }

  async put(hash: string, content: BlobContent, options: PutOptions): Promise<void> {
    const copy = new Copy(this.#limits.blobBytes)
    await this.#inner.put(hash, copy.of(content instanceof Uint8Array ? [content] : content), options)
    this.#remember(hash, copy.whole)
  }

  async sync(op?: Op): Promise<void> {
    await this.#inner.sync(op)
  }

  async open(hash: string, options: Op & { readonly offset?: number } = {}): Promise<AsyncIterable<Uint8Array>> {
    const recent = this.#use(hash)
    if (recent !== undefined) return once(Buffer.from(recent.subarray(options.offset ?? 0)))
    const content = await this.#inner.open(hash, options)
    return (options.offset ?? 0) === 0 ? this.#copied(hash, content) : content
  }

  async read(hash: string, op?: Op): Promise<Uint8Array> {
    const recent = this.#use(hash)
    if (recent !== undefined) return Buffer.from(recent)
    const bytes = await this.#inner.read(hash, op)
    if (bytes.byteLength <= this.#limits.blobBytes) this.#remember(hash, Buffer.from(bytes))
    return bytes
  }

  async sweep(keep: ReadonlySet<string>, olderThanMs: number, op?: Op): Promise<Swept> {
    this.#recent.clear()
    this.#bytes = 0
    return await this.#inner.sweep(keep, olderThanMs, op)
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
    this.#bytes += bytes.byteLength
    for (const [oldest, { byteLength }] of this.#recent) {
      if (this.#bytes <= this.#limits.totalBytes) return
      this.#recent.delete(oldest)
      this.#bytes -= byteLength
    }
  }
}

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

  async *of(content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    for await (const chunk of content) {
      this.#size += chunk.byteLength
      if (this.#size <= this.#limitBytes) this.#chunks.push(Buffer.from(chunk))
      yield chunk
    }
    this.#ended = true
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes
}
