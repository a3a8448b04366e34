import type { FileStat } from '../../core/files/entry.ts'
import { isSameStat } from './file-stat.ts'
import type { Known } from './placing.ts'

const CACHED_BYTES_MAX = 64 * 1024
const TOTAL = 16 * 1024 * 1024
/** What an entry takes besides its bytes. */
const OVERHEAD = 1000
/** The time of a change has limits of precision: a file that was changed just now may be changed again without showing it. */
const SETTLED_MS = 2000

interface Kept {
  readonly stat: FileStat
  readonly bytes: Buffer
  /** What the index told of it last, and the version that it had then. */
  known: Known | undefined
  version: number
}

/** Contents of small files that were read lately, each for exactly the file it was read from. */
export class SmallCache {
  readonly #kept = new Map<string, Kept>()
  #bytes = 0

  has(path: string): boolean {
    return this.#kept.has(path)
  }

  get(path: string, stat: FileStat): Kept | undefined {
    const kept = this.#kept.get(path)
    if (kept === undefined) return undefined
    this.#remove(path, kept)
    if (!isSameStat(kept.stat, stat)) return undefined
    this.#add(path, kept)
    return kept
  }

  set(path: string, stat: FileStat, bytes: Buffer, nowMs: number): void {
    if (bytes.byteLength > CACHED_BYTES_MAX || nowMs - Math.max(stat.changedMs, stat.modifiedMs) < SETTLED_MS) return
    const old = this.#kept.get(path)
    if (old !== undefined) this.#remove(path, old)
    this.#add(path, { stat, bytes, known: undefined, version: 0 })
    for (const [first, kept] of this.#kept) {
      if (this.#bytes <= TOTAL) return
      this.#remove(first, kept)
    }
  }

  #add(path: string, kept: Kept): void {
    this.#kept.set(path, kept)
    this.#bytes += kept.bytes.byteLength + OVERHEAD
  }

  #remove(path: string, kept: Kept): void {
    this.#kept.delete(path)
    this.#bytes -= kept.bytes.byteLength + OVERHEAD
  }
}
