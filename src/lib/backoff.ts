export interface BackoffOptions {
  readonly firstMs: number
  readonly maxMs: number
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/**
 * Delays that double up to `maxMs`. Each is shortened by up to a half at random, so that many nodes that failed
 * together do not come back together.
 */
export class Backoff {
  readonly #options: BackoffOptions
  /** After how many failures in a row the delay no longer grows. */
  readonly failuresToMax: number
  #failures = 0

  constructor(options: BackoffOptions) {
    this.#options = options
    this.failuresToMax = Math.max(0, Math.ceil(Math.log2(options.maxMs / options.firstMs)))
  }

  /** Failures in a row so far. */
  get failures(): number {
    return this.#failures
  }

  /** Counts one more failure, and says how long to wait after it. */
  nextMs(): number {
    const { firstMs, maxMs, random } = this.#options
    const fullMs = this.#failures < this.failuresToMax ? firstMs * 2 ** this.#failures : maxMs
    this.#failures += 1
    return fullMs * (1 - random() / 2)
  }

  reset(): void {
    this.#failures = 0
  }
}
