import type { Clock } from '../../core/clock.ts'
import type { FileStat } from '../../core/files/entry.ts'
import { isSameContent, wholeFromMs } from '../../core/files/etag.ts'
import { keyPath } from '../../lib/safe-path.ts'
import type { IndexWriter } from './index-writer.ts'
import type { Looks } from './looks.ts'
import type { Places } from './places.ts'
import type { SeenRow } from './rows.ts'
import type { FoundFile } from './scan.ts'
import type { Sight } from './sight.ts'

interface IntakeOptions {
  readonly writer: IndexWriter
  readonly places: Places
  readonly looks: Looks
  readonly clock: Clock
}

const AHEAD_MAX = 1000

/** Takes what was seen over into the index: files when they are whole, deletions when they can be believed. */
export class Intake {
  readonly #options: IntakeOptions
  /** Of a file whose time is ahead of our clock nothing but a second look tells whether it is left alone. */
  readonly #ahead = new Map<string, FileStat>()
  /** What the deletions of the transaction under way rely on. */
  readonly #relied = new Set<string>()
  /** How long a file must be left alone to be taken for whole. */
  settleMs = 0
  #sight: Sight | undefined

  constructor(options: IntakeOptions) {
    this.#options = options
  }

  /** What is looked with; undefined while the folder is not to be seen. */
  get sight(): Sight | undefined {
    return this.#sight
  }

  see(sight: Sight | undefined): void {
    this.#sight?.release()
    this.#sight = sight
  }

  /** Answers whether it was kept: deletions are only believed if everything is still mounted after they were seen. */
  transact(work: () => void): boolean {
    this.#relied.clear()
    try {
      const { keep } = this.#options.writer.transact(() => {
        work()
        return { keep: [...this.#relied].every((place) => this.#stands(place)) }
      })
      return keep
    } finally {
      this.sight?.release()
    }
  }

  found({ path, key, stat }: FoundFile, row: SeenRow | undefined): void {
    const { writer, looks, clock } = this.#options
    const nowMs = clock.nowMs()
    const fromMs = wholeFromMs(stat, this.settleMs)
    if (fromMs <= nowMs || this.#isStill(path, stat, nowMs)) writer.put(key, stat, undefined, row)
    else looks.wait(path, Math.min(fromMs, nowMs + this.settleMs))
  }

  /** What is known was not met: it may be gone. */
  missing(key: string): void {
    const path = keyPath(key)
    const seen = this.sight?.look(path)
    if (seen?.kind === 'file') this.found({ path, key, stat: seen.stat }, this.#options.writer.row(key))
    else if (seen !== undefined && seen.kind !== 'unknown') this.gone(path, key)
  }

  gone(path: string, key: string): void {
    const { writer, places, clock } = this.#options
    if (writer.row(key) === undefined) return
    const place = places.over(path)
    if (!this.#relied.has(place) && !this.#stands(place)) return
    this.#relied.add(place)
    writer.gone(key, clock.nowMs())
  }

  #isStill(path: string, stat: FileStat, nowMs: number): boolean {
    if (Math.max(stat.modifiedMs, stat.changedMs) <= nowMs) return false
    const before = this.#ahead.get(path)
    this.#ahead.delete(path)
    if (before !== undefined && isSameContent(before, stat)) return true
    if (this.#ahead.size < AHEAD_MAX) this.#ahead.set(path, stat)
    return false
  }

  #stands(place: string): boolean {
    return this.sight !== undefined && this.#options.places.stands(place, this.sight)
  }
}
