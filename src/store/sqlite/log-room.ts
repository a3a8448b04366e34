import { closeSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs'

const KIB = 1024
/** A store that is hardly written to does without. */
const FROM_BYTES = 256 * KIB
const STEP_BYTES = 1024 * KIB

/**
 * Keeps room ahead of where SQLite writes its log, up to the size at which it starts over. A sync of what lies within a
 * file costs half of one that makes the file longer, for that also writes the file system's journal.
 * Zeros after the log's end are no frames to SQLite: it stops where the salt of a frame is not the log's.
 * Source: sqlite.org/fileformat2.html#walformat
 */
export class LogRoom {
  /** Opened once: the locks are on the other file. */
  readonly #file: number
  readonly #maxBytes: number
  #roomBytes = 0

  /** Of the log at `path`, which is there. */
  constructor(path: string, maxBytes: number) {
    this.#file = openSync(path, 'r+')
    this.#maxBytes = maxBytes
  }

  /** To be called before a transaction, whose sync then takes along what is written here. */
  widen(): void {
    if (this.#roomBytes >= this.#maxBytes) return
    const { size } = fstatSync(this.#file)
    if (size < FROM_BYTES || size <= this.#roomBytes) return
    const step = Math.min(STEP_BYTES, Math.max(this.#maxBytes - size, 0))
    this.#roomBytes = size + step
    try {
      for (let at = size; at < size + step;) at += writeSync(this.#file, ZEROS, 0, size + step - at, at)
    } catch {
      // No room on the disk: what there is belongs to the log itself.
      this.#roomBytes = this.#maxBytes
      ftruncateSync(this.#file, size)
    }
  }

  close(): void {
    closeSync(this.#file)
  }
}

const ZEROS = new Uint8Array(STEP_BYTES)
