import type { Clock } from '../core/clock.ts'
import { isError } from '../core/errors.ts'
import { sleepQuietly } from '../lib/waiting.ts'

export interface LeaseKeeperOptions {
  readonly clock: Clock
  readonly ttlMs: number
  /** When the request was sent that took the lease, by the clock. */
  readonly sentMs: number
  readonly renew: (signal: AbortSignal) => Promise<void>
  /** Called with every renewal that was answered. */
  readonly onKept?: ((safeUntilMs: number) => void) | undefined
}

/** Renewals in the length of a lease, and how often one that failed is tried again in it. */
const RENEWALS = 5
const RETRIES = 20

/**
 * Keeps a lease, and knows until when it can be relied on: its length after the moment at which the last renewal that was
 * answered had been sent. The hub cannot have counted from an earlier moment, so nobody else holds before that.
 */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions
  #safeUntilMs: number

  constructor(options: LeaseKeeperOptions) {
    this.#options = options
    this.#safeUntilMs = options.sentMs + options.ttlMs
  }

  get safeUntilMs(): number {
    return this.#safeUntilMs
  }

  /** Renews until the signal aborts, or the lease has ended. A hub that is gone for a moment is asked again. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, ttlMs } = this.#options
    let pauseMs = this.#safeUntilMs - ttlMs + ttlMs / RENEWALS - clock.monotonicMs()
    while (await sleepQuietly(clock, Math.max(0, pauseMs), signal)) {
      if (clock.monotonicMs() >= this.#safeUntilMs) return
      pauseMs = (await this.#renew(signal)) ? ttlMs / RENEWALS : ttlMs / RETRIES
      if (this.#safeUntilMs === 0) return
    }
  }

  /** False where there was no answer. */
  async #renew(signal: AbortSignal): Promise<boolean> {
    const { clock, ttlMs, renew, onKept } = this.#options
    const sentMs = clock.monotonicMs()
    const over = new AbortController()
    const late = sleepQuietly(clock, ttlMs / RENEWALS, over.signal).then((isLate) => isLate && over.abort(LATE))
    try {
      await renew(AbortSignal.any([signal, over.signal]))
      this.#safeUntilMs = sentMs + ttlMs
      onKept?.(this.#safeUntilMs)
      return true
    } catch (error) {
      if (isError(error, 'LEASE_ENDED')) this.#safeUntilMs = 0
      // Whatever else is wrong may be right in time; if not, the lease ends.
      return false
    } finally {
      over.abort()
      await late
    }
  }
}

const LATE = new Error('the renewal was not answered in time')
