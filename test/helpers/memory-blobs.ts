import type { Clock } from '../../src/core/clock.ts'
import { FlotillaError } from '../../src/core/errors.ts'
import type { Op } from '../../src/core/op.ts'
import { sha256 } from '../../src/lib/hash.ts'
import { type BlobContent, type BlobStore, checkHash, type PutOptions, type Swept } from '../../src/releases/blobs.ts'

/** The contract of blobs in memory: for tests that need no disk. */
export class MemoryBlobs implements BlobStore {
  readonly #blobs = new Map<string, { readonly bytes: Uint8Array; wantedMs: number }>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async sizes(hashes: Iterable<string>): Promise<ReadonlyMap<string, number>> {
    const sizes = new Map<string, number>()
    for (const hash of hashes) {
      checkHash(hash)
      const blob = this.#blobs.get(hash)
      if (blob === undefined) continue
      blob.wantedMs = this.#clock.nowMs()
      sizes.set(hash, blob.bytes.byteLength)
    }
    return sizes
  }

  async missing(hashes: Iterable<string>): Promise<readonly string[]> {
    const asked = new Set(hashes)
    const held = await this.sizes(asked)
    return [...asked].filter((hash) => !held.has(hash))
  }

  async has(hash: string): Promise<boolean> {
    return (await this.sizes([hash])).size > 0
  }

  async put(hash: string, content: BlobContent, { limitBytes, signal }: PutOptions): Promise<void> {
    if (await this.has(hash)) return
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of content instanceof Uint8Array ? [content] : content) {
      signal?.throwIfAborted()
      size += chunk.byteLength
      if (size > limitBytes) throw new FlotillaError('TOO_LARGE', `more than ${limitBytes} bytes`)
      chunks.push(chunk)
    }
    const bytes = Buffer.concat(chunks)
    if (sha256(bytes) !== hash) throw new FlotillaError('CORRUPT', `the bytes are not those of blob ${hash}`)
    this.#blobs.set(hash, { bytes, wantedMs: this.#clock.nowMs() })
  }

  async sync(): Promise<void> {}

  async open(hash: string, { offset = 0 }: Op & { readonly offset?: number } = {}): Promise<AsyncIterable<Uint8Array>> {
    const bytes = await this.read(hash)
    return (async function* () {
      yield bytes.subarray(offset)
    })()
  }

  async read(hash: string): Promise<Uint8Array> {
    checkHash(hash)
    const blob = this.#blobs.get(hash)
    if (blob === undefined) throw new FlotillaError('NOT_FOUND', `blob ${hash} is not there`)
    return blob.bytes
  }

  async sweep(keep: ReadonlySet<string>, olderThanMs: number): Promise<Swept> {
    const old = [...this.#blobs].filter(
      ([hash, { wantedMs }]) => !keep.has(hash) && wantedMs < this.#clock.nowMs() - olderThanMs,
    )
    for (const [hash] of old) this.#blobs.delete(hash)
    return { removed: old.length, bytes: old.reduce((sum, [, { bytes }]) => sum + bytes.byteLength, 0) }
  }
}
