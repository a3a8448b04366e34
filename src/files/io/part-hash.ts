import { createHash, type Hash } from 'node:crypto'
import { giveBack } from '../../lib/give-back.ts'
import type { GrowingFile } from './growing-file.ts'

/** Read in a thread at once, and hashed in place: less than a millisecond each. */
const PIECE_BYTES = 1024 * 1024

/**
 * The SHA-256 of a file that is appended to: of what comes, as long as it knows all that was before; what it did not see come is
 * read, beside the writing.
 */
export class PartHash {
  readonly #growing: GrowingFile
  readonly #name: string
  #hash: Hash = createHash('sha256')
  #hashed = 0
  #reading: Promise<void> | undefined
  #isStopped = false
  #buffer: Buffer | undefined

  constructor(growing: GrowingFile, name: string) {
    this.#growing = growing
    this.#name = name
  }

  add(chunk: Uint8Array, position: number): void {
    if (position !== this.#hashed) return
    this.#hash.update(chunk)
    this.#hashed += chunk.byteLength
  }

  /** Goes on with what is written by now. Not waited for: whether it failed shows in the end. */
  follow(): void {
    if (this.#hashed < this.#growing.written) this.#caughtUp().catch(() => undefined)
  }

  /** Some that was added has not been written after all. */
  cut(): void {
    if (this.#hashed <= this.#growing.written) return
    this.#hash = createHash('sha256')
    this.#hashed = 0
  }

  /** Of all that is written, while nothing more comes. */
  async value(): Promise<string> {
    await this.#caughtUp()
    return this.#hash.copy().digest('hex')
  }

  stop(): void {
    this.#isStopped = true
    if (this.#reading === undefined && this.#buffer !== undefined) giveBack(this.#buffer)
    this.#buffer = undefined
  }

  async #caughtUp(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined
    })
    await this.#reading
  }

  async #read(): Promise<void> {
    const buffer = (this.#buffer ??= Buffer.allocUnsafeSlow(PIECE_BYTES))
    while (!this.#isStopped && this.#hashed < this.#growing.written) {
      // Nothing else is hashed meanwhile: whatever comes lies further on.
      const read = await this.#growing.read(this.#name, buffer, this.#hashed)
      this.#hash.update(buffer.subarray(0, read))
      this.#hashed += read
    }
  }
}
