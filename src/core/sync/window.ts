/** Rounds of trouble that come at once are one. */
const CALM_MS = 1000

interface WindowOptions {
  readonly first: number
  readonly max: number
}

/**
 * How much may be under way at once: doubles while all goes well, halves when the other side is overloaded, and from then on grows by one
 * at a time, as TCP's congestion window.
 */
export class Window {
  readonly #max: number
  #size: number
  #isCautious = false
  #good = 0
  #troubleMs = Number.NEGATIVE_INFINITY

  constructor({ first, max }: WindowOptions) {
    this.#max = max
    this.#size = Math.min(first, max)
  }

  get size(): number {
    return Math.floor(this.#size)
  }

  succeeded(): void {
    this.#good += 1
    if (this.#good < this.size) return
    this.#good = 0
    this.#size = Math.min(this.#max, this.#isCautious ? this.#size + 1 : this.#size * 2)
  }

  /** `nowMs` of a monotonic clock. */
  overloaded(nowMs: number): void {
    this.#good = 0
    this.#isCautious = true
    if (nowMs - this.#troubleMs < CALM_MS) return
    this.#troubleMs = nowMs
    this.#size = Math.max(1, this.#size / 2)
  }
}
