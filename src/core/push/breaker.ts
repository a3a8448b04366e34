/** When to try a child again that did not answer: at once after one failure, then after pauses that double, with some chance in them. */
export interface BreakerOptions {
  readonly failures: number
  readonly firstMs: number
  readonly longestMs: number
}

const BREAKER: BreakerOptions = { failures: 3, firstMs: 1000, longestMs: 5000 }

export class Breaker {
  readonly #options: BreakerOptions
  #failed = 0

  constructor(options: BreakerOptions = BREAKER) {
    this.#options = options
  }

  /** Nothing new is begun, but for one attempt after each pause. */
  get isOpen(): boolean {
    return this.#failed >= this.#options.failures
  }

  succeeded(): void {
    this.#failed = 0
  }

  /** How long to wait; `random` is from 0 to below 1. */
  failed(random: number): number {
    this.#failed++
    const { failures, firstMs, longestMs } = this.#options
    if (this.#failed < failures) return 100
    const pauseMs = Math.min(longestMs, firstMs * 2 ** (this.#failed - failures))
    return pauseMs * (0.75 + random / 2)
  }
}
