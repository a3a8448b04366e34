export interface SubscriptionOptions<T extends object> {
  /** Ends the iteration; what is still queued is dropped. */
  readonly signal: AbortSignal
  /** How many values may wait for a slow reader; beyond, the oldest is forgotten. */
  readonly limit: number
  /** One value in place of a waiting one and the next, or undefined to keep both. */
  readonly merge?: (waiting: T, next: T) => T | undefined
  /** Called once, when the iteration is over for whatever reason. */
  readonly onEnd?: (ended: Subscription<T>) => void
}

/**
 * A pushed source as an `AsyncIterable` for one reader. Values arrive in order; pushing never waits and never throws.
 * What is pushed before the reader starts, or while it works, waits in a bounded queue, where it may be merged.
 */
export class Subscription<T extends object> implements AsyncIterable<T> {
  readonly #options: SubscriptionOptions<T>
  #queue: T[] = []
  #wake: (() => void) | undefined
  #ended = false

  constructor(options: SubscriptionOptions<T>) {
    this.#options = options
    if (options.signal.aborted) this.end()
    else options.signal.addEventListener('abort', this.#abort, { once: true })
  }

  push(value: T): void {
    if (this.#ended) return
    const { merge, limit } = this.#options
    for (const [index, waiting] of this.#queue.entries()) {
      const merged = merge?.(waiting, value)
      if (merged === undefined) continue
      this.#queue[index] = merged
      return
    }
    this.#queue.push(value)
    if (this.#queue.length > limit) this.#queue.shift()
    this.#wake?.()
  }

  /** Ends the iteration, after the values that wait. */
  end(): void {
    if (!this.#ended) {
      this.#ended = true
      this.#options.signal.removeEventListener('abort', this.#abort)
      this.#options.onEnd?.(this)
    }
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    try {
      for (;;) {
        const value = this.#queue.shift()
        if (value !== undefined) yield value
        else if (this.#ended) return
        else await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    } finally {
      this.#queue = []
      this.end()
    }
  }

  readonly #abort = (): void => {
    this.#queue = []
    this.end()
  }
}
