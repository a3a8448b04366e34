import { writev } from 'node:fs'
import { promisify } from 'node:util'
import type { FileCalls } from '../../lib/file-calls.ts'
import { giveBack } from '../../lib/give-back.ts'
import { QUICK_BYTES } from '../../lib/quick-file.ts'

const write = promisify(writev)
/** Written at once, while the next come in: at most twice as much is held. */
const GROUP_BYTES = 1024 * 1024
const GROUP_CHUNKS = 512

export interface PouringOptions {
  /** Told up to where all is written. */
  readonly onWritten?: ((position: number) => void) | undefined
  /** As of `PutOptions`. */
  readonly isOwn?: boolean | undefined
}

/** Writes chunks one after the other from a position of a file on. What comes to little is written in place. */
export class Pouring {
  readonly #file: number
  readonly #calls: FileCalls
  readonly #onWritten: ((position: number) => void) | undefined
  readonly #isOwn: boolean
  #position: number
  #pending: Uint8Array[] = []
  #pendingBytes = 0
  #isLong = false
  #running: Promise<void> = Promise.resolve()

  constructor(file: number, position: number, calls: FileCalls, { onWritten, isOwn = false }: PouringOptions = {}) {
    this.#file = file
    this.#calls = calls
    this.#position = position
    this.#onWritten = onWritten
    this.#isOwn = isOwn
  }

  /** The chunk must stay as it is. */
  async add(chunk: Uint8Array): Promise<void> {
    if (chunk.byteLength === 0) return
    this.#pending.push(chunk)
    this.#pendingBytes += chunk.byteLength
    if (this.#pendingBytes >= GROUP_BYTES || this.#pending.length >= GROUP_CHUNKS) await this.#begin()
  }

  /** Resolves when all is written. */
  async end(): Promise<void> {
    if (this.#isLong || this.#pendingBytes > QUICK_BYTES) await this.#begin()
    else await this.#inPlace()
    await this.#running
  }

  /** Resolves when nothing writes any more, whatever came of it. */
  async stop(): Promise<void> {
    await this.#running.catch(() => undefined)
  }

  async #begin(): Promise<void> {
    this.#isLong = true
    await this.#running
    const [chunks, position] = [this.#pending, this.#position]
    this.#position += this.#pendingBytes
    this.#pending = []
    this.#pendingBytes = 0
    if (chunks.length === 0) return
    this.#running = this.#written(chunks, position)
    // Whoever waits next is told of the failure.
    this.#running.catch(() => undefined)
  }

  async #written(chunks: readonly Uint8Array[], position: number): Promise<void> {
    const end = await writeAll(this.#file, chunks, position)
    if (this.#isOwn) for (const chunk of chunks) giveBack(chunk)
    this.#onWritten?.(end)
  }

  async #inPlace(): Promise<void> {
    for (const chunk of this.#pending.splice(0)) {
      for (let done = 0; done < chunk.byteLength;) {
        const written = await this.#calls.write(this.#file, chunk.subarray(done), this.#position)
        this.#position += written
        done += written
      }
    }
    this.#onWritten?.(this.#position)
  }
}

/** Answers where they end. */
async function writeAll(file: number, chunks: readonly Uint8Array[], position: number): Promise<number> {
  for (let rest = chunks; rest.length > 0;) {
    const { bytesWritten } = await write(file, rest as Uint8Array[], position)
    position += bytesWritten
    rest = without(rest, bytesWritten)
  }
  return position
}

/** What is left of the chunks after so many bytes. */
function without(chunks: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let left = bytes
  for (const [index, chunk] of chunks.entries()) {
    if (left < chunk.byteLength) return [chunk.subarray(left), ...chunks.slice(index + 1)]
    left -= chunk.byteLength
  }
  return []
}
