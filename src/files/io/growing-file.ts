import type { Growing } from '../../core/files/growing.ts'
import type { Op } from '../../core/op.ts'
import { type FileCalls, remoteCalls } from '../../lib/file-calls.ts'
import { QUICK_BYTES } from '../../lib/quick-file.ts'
import { changed } from './reading.ts'

/** An open file that others read behind its writer. It is closed when the writer and all of them are done with it. */
export class GrowingFile {
  readonly #file: number
  readonly #calls: FileCalls
  readonly #waiting = new Set<() => void>()
  #written: number
  #state: Growing['state'] = 'growing'
  /** The writer, the readers, and reads that the system has not answered. */
  #holders = 1

  constructor(file: number, calls: FileCalls, written = 0) {
    this.#file = file
    this.#calls = calls
    this.#written = written
  }

  get written(): number {
    return this.#written
  }

  get state(): Growing['state'] {
    return this.#state
  }

  /** What lies before that position will stay as it is. */
  grow(written: number): void {
    this.#written = written
    this.#wake()
  }

  end(state: 'whole' | 'failed'): void {
    this.#state = state
    this.#wake()
  }

  /** For one reader. */
  behind(key: string): Growing {
    this.#holders++
    return new Behind(key, this)
  }

  /** Of each holder once. */
  async letGo(): Promise<void> {
    if (--this.#holders === 0) await this.#calls.close(this.#file)
  }

  async changed({ signal }: Op): Promise<void> {
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const leave = (): void => reject(signal?.reason as Error)
    this.#waiting.add(resolve)
    signal?.addEventListener('abort', leave, { once: true })
    try {
      await promise
    } finally {
      this.#waiting.delete(resolve)
      signal?.removeEventListener('abort', leave)
    }
  }

  async read(key: string, buffer: Uint8Array, position: number): Promise<number> {
    // What is written beyond just now may be written again.
    const length = Math.min(buffer.byteLength, this.#written - position)
    if (length <= 0) return 0
    this.#holders++
    try {
      const calls = length > QUICK_BYTES ? remoteCalls : this.#calls
      const read = await calls.read(this.#file, buffer.subarray(0, length), position)
      if (read === 0) throw changed(key)
      return read
    } finally {
      await this.letGo()
    }
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }
}

class Behind implements Growing {
  readonly key: string
  readonly #growing: GrowingFile
  #isReleased = false

  constructor(key: string, growing: GrowingFile) {
    this.key = key
    this.#growing = growing
  }

  get written(): number {
    return this.#growing.written
  }

  get state(): Growing['state'] {
    return this.#growing.state
  }

  async changed(op: Op): Promise<void> {
    await this.#growing.changed(op)
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    if (this.#isReleased) throw new Error(`${this.key} is read after it was released`)
    return this.#growing.read(this.key, buffer, position)
  }

  release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    // Nobody waits for it; a descriptor of a file that was only read loses nothing when closing fails.
    this.#growing.letGo().catch(() => undefined)
  }
}
