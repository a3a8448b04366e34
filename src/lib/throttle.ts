import type { Clock } from '../core/clock.ts'
import type { Bandwidth } from '../core/sync/bandwidth.ts'

/** What may travel at once after a pause, in seconds of the rate. */
const BURST_SECONDS = 0.1

/** Keeps what travels below a rate that depends on the time of day. */
export class Throttle {
  readonly #clock: Clock
  readonly #bandwidth: Bandwidth | undefined
  /** When the line is free again for what was let through so far. */
  #freeMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, bandwidth: Bandwidth | undefined) {
    this.#clock = clock
    this.#bandwidth = bandwidth
  }

  /** Bytes a second, now; Infinity without a limit. */
  get rate(): number {
    if (this.#bandwidth === undefined) return Number.POSITIVE_INFINITY
    const now = new Date(this.#clock.nowMs())
    return this.#bandwidth.at(now.getHours() * 60 + now.getMinutes())
  }

  /** Undefined where there is nothing to wait for. To be called for what has arrived: the wait holds back what comes next. */
  take(bytes: number, signal: AbortSignal): Promise<void> | undefined {
    const { rate } = this
    if (rate === Number.POSITIVE_INFINITY) return undefined
    const nowMs = this.#clock.monotonicMs()
    this.#freeMs = Math.max(this.#freeMs, nowMs - BURST_SECONDS * 1000) + (bytes / rate) * 1000
    const waitMs = this.#freeMs - nowMs
    return waitMs > 0 ? this.#clock.sleep(waitMs, signal) : undefined
  }
}
