import { type Hint, isHint, mergeHints } from '../core/bus.ts'
import { FlotillaError } from '../core/errors.ts'
import { Subscription } from './subscription.ts'

/** Prefixes that may wait for one slow reader. Beyond, the oldest are forgotten: a bus may lose hints. */
const WAITING_MAX = 1000

/** The subscriptions of a bus, as far as they are in this process. */
export class HintReaders {
  readonly #readers = new Set<Subscription<Hint>>()
  #closed = false

  /** Throws `BAD_REQUEST` for what is no hint and `NOT_READY` when the bus is closed. */
  check(hint: Hint): void {
    if (!isHint(hint)) throw new FlotillaError('BAD_REQUEST', 'a hint has a prefix and a revision, and nothing else')
    if (this.#closed) throw new FlotillaError('NOT_READY', 'the bus is closed')
  }

  give(hint: Hint): void {
    for (const reader of this.#readers) reader.push(hint)
  }

  subscribe(signal: AbortSignal): AsyncIterable<Hint> {
    const reader = new Subscription<Hint>({
      signal,
      limit: WAITING_MAX,
      merge: mergeHints,
      onEnd: (ended) => this.#readers.delete(ended),
    })
    if (this.#closed) reader.end()
    else if (!signal.aborted) this.#readers.add(reader)
    return reader
  }

  close(): void {
    this.#closed = true
    for (const reader of this.#readers) reader.end()
  }
}
