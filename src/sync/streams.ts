import type { Clock } from '../core/clock.ts'
import type { Span } from '../core/sync/blocks.ts'

/** Streams of all large files together, where the line is fast: what comes in order is hashed on its way, so no more than needed. */
const FAST = 4
/** Of each file, where single streams are slow, as over a long line or from a server that limits each. */
const SLOW_EACH = 8
/** A stream below that is slow: bytes a millisecond. */
const SLOW_RATE = 20 * 1024

/** How many ranges of large files are under way at once. */
export class Streams {
  readonly #clock: Clock
  #files = 0
  #isSlow = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Calls `each` for every span, in order. After the first failure nothing new is begun; rejects with it once all have ended. */
  async each(spans: readonly Span[], each: (span: Span) => Promise<void>): Promise<void> {
    const left = [...spans]
    const failures: unknown[] = []
    this.#files += 1
    const running = new Set<Promise<void>>()
    try {
      while ((left.length > 0 && failures.length === 0) || running.size > 0) {
        while (failures.length === 0 && running.size < this.#perFile) {
          const span = left.shift()
          if (span === undefined) break
          const task: Promise<void> = this.#timed(span, each)
            .catch((error: unknown) => void failures.push(error))
            .finally(() => running.delete(task))
          running.add(task)
        }
        await Promise.race(running)
      }
    } finally {
      this.#files -= 1
    }
    if (failures.length > 0) throw failures[0]
  }

  get #perFile(): number {
    return this.#isSlow ? SLOW_EACH : Math.max(1, Math.floor(FAST / this.#files))
  }

  async #timed(span: Span, each: (span: Span) => Promise<void>): Promise<void> {
    const startMs = this.#clock.monotonicMs()
    await each(span)
    const ms = this.#clock.monotonicMs() - startMs
    this.#isSlow = span.end - span.start < ms * SLOW_RATE
  }
}
