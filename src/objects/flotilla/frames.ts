import { FlotillaError } from '../../core/errors.ts'
import { BATCH_LIMITS, type BatchItem } from '../../core/files/peer.ts'
import type { FileEntry } from '../../core/files/entry.ts'
import { FRAME } from '../../core/files/peer-wire.ts'

/** Bytes that have come and were not taken yet. */
class Arrived {
  #chunk: Buffer = Buffer.alloc(0)
  #at = 0
  readonly #chunks: AsyncIterator<Uint8Array>

  constructor(chunks: AsyncIterator<Uint8Array>) {
    this.#chunks = chunks
  }

  get isEmpty(): boolean {
    return this.#at === this.#chunk.byteLength
  }

  /** The next `count` bytes where they are here already: nothing is copied, nobody waits. */
  now(count: number): Buffer | undefined {
    if (this.#chunk.byteLength - this.#at < count) return undefined
    this.#at += count
    return this.#chunk.subarray(this.#at - count, this.#at)
  }

  /** The next `count` bytes; undefined where the body ends before. */
  async later(count: number): Promise<Buffer | undefined> {
    const here = this.now(count)
    if (here !== undefined) return here
    const whole = Buffer.allocUnsafeSlow(count)
    for (let filled = 0; ;) {
      const part = this.#chunk.subarray(this.#at, this.#at + count - filled)
      whole.set(part, filled)
      filled += part.byteLength
      this.#at += part.byteLength
      if (filled === count) return whole
      const next = await this.#chunks.next()
      if (next.done === true) return undefined
      const { buffer, byteOffset, byteLength } = next.value
      this.#chunk = Buffer.from(buffer, byteOffset, byteLength)
      this.#at = 0
    }
  }
}

/**
 * What a batch answers for `entries`, with the SHA-256 that the other side tells where none was known. Rejects with `BAD_LISTING` for what is
 * no such answer, with `UNREACHABLE` for one that ends too early.
 */
export async function* batchItems(
  body: AsyncIterable<Uint8Array>,
  entries: readonly FileEntry[],
  name: string,
): AsyncGenerator<BatchItem, void> {
  const chunks = body[Symbol.asyncIterator]()
  const arrived = new Arrived(chunks)
  const take = async (count: number): Promise<Buffer> => {
    const bytes = await arrived.later(count)
    if (bytes === undefined) throw new FlotillaError('UNREACHABLE', `${name} broke off its answer to a batch`)
    return bytes
  }
  try {
    for (const entry of entries) {
      const head = arrived.now(FRAME.headerBytes) ?? (await take(FRAME.headerBytes))
      const kind = head.readUInt32LE(0)
      const size = head.readUInt32LE(4)
      if (kind === FRAME.absent) {
        yield { entry }
        continue
      }
      if (kind !== FRAME.bytes && kind !== FRAME.hashedBytes) throw bad(name)
      if (size !== entry.size || size > BATCH_LIMITS.fileBytes) throw bad(name)
      const hash = kind === FRAME.bytes ? undefined : (arrived.now(FRAME.hashBytes) ?? (await take(FRAME.hashBytes)))
      const told = entry.sha256 === undefined && hash !== undefined ? { ...entry, sha256: hash.toString('hex') } : entry
      yield { entry: told, bytes: arrived.now(size) ?? (await take(size)) }
    }
    const end = await take(FRAME.headerBytes)
    if (end.readUInt32LE(0) !== FRAME.end || end.readUInt32LE(4) !== entries.length) throw bad(name)
    // Read to its end, so that the connection can be used again.
    if (!arrived.isEmpty || (await chunks.next()).done !== true) throw bad(name)
  } finally {
    await chunks.return?.()
  }
}

function bad(name: string): FlotillaError {
  return new FlotillaError('BAD_LISTING', `the answer of ${name} to a batch is not of its form`)
}
