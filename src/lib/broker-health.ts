import type { BusHealth } from '../core/bus.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import { wordsOf } from './connection-words.ts'

const SAID_MAX = 10

/** A broker that comes back is found within the second of these. */
export const RETRY_MS = { low: 500, high: 10_000 }

/** Whether a broker can be used just now, for those who ask, and said once in the log for those who do not. */
export class BrokerHealth {
  readonly #options: { readonly kind: string; readonly clock: Clock; readonly log: Logger }
  #now: BusHealth
  /** What was said of this absence; attempts that fail in turn for two reasons would otherwise fill the log. */
  readonly #said = new Set<string>()

  constructor(options: { readonly kind: string; readonly clock: Clock; readonly log: Logger }) {
    this.#options = options
    this.#now = { kind: options.kind, state: 'away', sinceMs: options.clock.nowMs() }
  }

  get now(): BusHealth {
    return this.#now
  }

  arrived(): void {
    if (this.#now.state === 'connected') return
    this.#now = { kind: this.#options.kind, state: 'connected', sinceMs: this.#options.clock.nowMs() }
    this.#said.clear()
    this.#options.log.info('the message broker is there')
  }

  lost(cause: unknown): void {
    const error = wordsOf(cause)
    const { state, sinceMs } = this.#now
    const since = state === 'away' ? sinceMs : this.#options.clock.nowMs()
    this.#now = { kind: this.#options.kind, state: 'away', sinceMs: since, error }
    // Nobody is wrong without it, only later: a watch and the interval go on.
    if (this.#said.has(error) || this.#said.size >= SAID_MAX) return
    this.#said.add(error)
    this.#options.log.warn('the message broker cannot be used', { error })
  }
}
