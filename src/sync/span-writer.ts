import { writeSync } from 'node:fs'
import { FlotillaError } from '../core/errors.ts'
import type { FileEntry } from '../core/files/entry.ts'
import type { FileSource } from '../core/files/source.ts'
import type { Span } from '../core/sync/blocks.ts'
import { isInPlace } from '../lib/file-calls.ts'
import type { LargeParts } from './large.ts'
import type { PartFile } from './part-file.ts'
import { NOTE_BYTES } from './thread-messages.ts'
import type { Follower } from './threads.ts'

export interface Progress {
  /** Keeps how far it is; absent where it does not matter. */
  readonly part: PartFile | undefined
  /** Can read in a thread. */
  readonly reader: Follower | undefined
}

/** Writes a span of a large file to its place as it comes. */
export class SpanWriter {
  readonly #file: number
  readonly #end: number
  readonly #parts: LargeParts
  readonly #progress: Progress
  readonly #signal: AbortSignal
  #position: number
  #noted: number

  constructor(file: number, span: Span, parts: LargeParts, progress: Progress, signal: AbortSignal) {
    this.#file = file
    this.#end = span.end
    this.#parts = parts
    this.#progress = progress
    this.#signal = signal
    this.#position = span.start
    this.#noted = span.start
  }

  /** Everything before it is written. */
  get position(): number {
    return this.#position
  }

  /** Rejects as the source does, and as writing does; what has come until then counts. */
  async from(source: FileSource, entry: FileEntry): Promise<void> {
    try {
      if (!(await this.#inThread(source, entry))) {
        const range = { start: this.#position, end: this.#end, signal: this.#signal }
        for await (const bytes of await source.open(entry, range)) await this.#take(bytes)
      }
    } finally {
      this.#note()
    }
    if (this.#position < this.#end) throw new FlotillaError('UNREACHABLE', 'less came than was asked for')
  }

  /** False where it cannot be had that way: not over plain HTTP, not with a cap, and not where writing has to be waited for. */
  async #inThread(source: FileSource, entry: FileEntry): Promise<boolean> {
    const { calls, throttle, travelled } = this.#parts
    const span = { start: this.#position, end: this.#end }
    const isFree = isInPlace(calls) && throttle.rate === Number.POSITIVE_INFINITY
    const range = isFree ? source.range?.(entry, span) : undefined
    if (range === undefined || this.#progress.reader === undefined) return false
    const reached = (position: number): void => {
      travelled(position - this.#position)
      this.#position = position
      this.#note()
    }
    const task = { span, range, entry, name: source.name, reached }
    return (await this.#progress.reader.fetch(task, this.#signal)) === 'poured'
  }

  /** Into the page cache of a local disk at once: handing so little to a thread would cost more than the copy. */
  #take(bytes: Uint8Array): void | Promise<void> {
    if (this.#position + bytes.byteLength > this.#end) {
      throw new FlotillaError('CORRUPT', 'more came than was asked for')
    }
    if (!isInPlace(this.#parts.calls)) return this.#takeSlowly(bytes)
    for (let start = 0; start < bytes.byteLength;) {
      start += writeSync(this.#file, bytes, start, bytes.byteLength - start, this.#position + start)
    }
    return this.#taken(bytes.byteLength)
  }

  async #takeSlowly(bytes: Uint8Array): Promise<void> {
    for (let start = 0; start < bytes.byteLength;) {
      start += await this.#parts.calls.write(this.#file, bytes.subarray(start), this.#position + start)
    }
    await this.#taken(bytes.byteLength)
  }

  #taken(bytes: number): Promise<void> | undefined {
    this.#position += bytes
    this.#parts.travelled(bytes)
    if (this.#position - this.#noted >= NOTE_BYTES || this.#position === this.#end) this.#note()
    return this.#parts.throttle.take(bytes, this.#signal)
  }

  #note(): void {
    if (this.#position === this.#noted) return
    this.#noted = this.#position
    this.#progress.part?.reached(this.#position)
  }
}
