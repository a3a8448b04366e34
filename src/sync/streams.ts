import type { Clock } from '../core/clock.ts'
import type { Span } from '../core/sync/blocks.ts'

/** Streams of all large files together, where one of each would not fill the line, and until that is known. */
const FEW = 4
/** Of each file, where single streams are slow, as over a long line or from a server that limits each. */
const SLOW_EACH = 8
/** A stream below that is slow: bytes a millisecond. */
const SLOW_RATE = 20 * 1024
/**
 * So much of all streams together, and one of each file may do as well: what comes in order is hashed on its way, and after a crash no
 * more than the block under way travels again.
 */
const QUICK_RATE = 64 * 1024
/** Where one of each file turned out to bring less, it is tried again after so many spans. */
const SPANS_TO_RETRY = 64

/** How many ranges of large files are under way at once. */
export class Streams {
  readonly #clock: Clock
  #files = 0
  #running = 0
  #line: 'slow' | 'fair' | 'quick' = 'fair'
  #spansToRetry = 0
  /** In a row: one alone may be the processor's, which was busy with something else. */
  #misses = 0

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
    if (this.#line === 'slow') return SLOW_EACH
    return this.#line === 'quick' ? 1 : Math.max(1, Math.floor(FEW / this.#files))
  }

  async #timed(span: Span, each: (span: Span) => Promise<void>): Promise<void> {
    const startMs = this.#clock.monotonicMs()
    const begun = ++this.#running
    try {
      await each(span)
      const beside = Math.max(begun, this.#running)
      this.#judge((span.end - span.start) / (this.#clock.monotonicMs() - startMs), beside)
    } finally {
      this.#running -= 1
    }
  }

  #judge(rate: number, running: number): void {
    this.#spansToRetry = Math.max(0, this.#spansToRetry - 1)
    const isQuick = rate * running >= QUICK_RATE
    if (this.#line === 'quick' && running <= this.#files) {
      this.#misses = isQuick ? 0 : this.#misses + 1
      if (this.#misses === 1) return
      if (!isQuick) this.#spansToRetry = SPANS_TO_RETRY
    }
    if (rate < SLOW_RATE) this.#line = 'slow'
    else this.#line = isQuick && this.#spansToRetry === 0 ? 'quick' : 'fair'
  }
}
