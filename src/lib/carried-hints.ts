import { type BusHealth, type Hint, isHint, mergeHints } from '../core/bus.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import { Backoff } from './backoff.ts'
import { BrokerHealth, RETRY_MS } from './broker-health.ts'
import { HintReaders } from './hint-readers.ts'
import { Subscription } from './subscription.ts'
import { sleepQuietly } from './waiting.ts'

export interface CarriedHintsOptions {
  /** Of the bus, as its configuration calls it. */
  readonly kind: string
  readonly clock: Clock
  readonly log: Logger
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/** How many hints a broker may have on their way to one node: nothing of theirs is large or slow. */
export const PREFETCH = 50
/** Prefixes of which something may wait to be published. */
export const WAITING_MAX = 1000

/**
 * The side of a bus that is the same whatever broker carries it: who listens in this process, which hints wait to be sent, of each
 * prefix the newest, and how the broker is.
 */
export class CarriedHints {
  readonly #options: CarriedHintsOptions
  readonly #health: BrokerHealth
  readonly #readers = new HintReaders()
  readonly #closing = new AbortController()
  readonly #outgoing: Subscription<Hint>

  constructor(options: CarriedHintsOptions) {
    this.#options = options
    this.#health = new BrokerHealth(options)
    this.#outgoing = new Subscription({ signal: this.#closing.signal, limit: WAITING_MAX, merge: mergeHints })
  }

  get health(): BusHealth {
    return this.#health.now
  }

  /** Aborted by `close`. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** Throws as `HintReaders.check` does; otherwise the hint waits to be sent. */
  publish(hint: Hint): void {
    this.#readers.check(hint)
    this.#outgoing.push(hint)
  }

  subscribe(signal: AbortSignal): AsyncIterable<Hint> {
    return this.#readers.subscribe(signal)
  }

  /** Gives what the broker brought to those who listen. Whoever may write to it may have sent it: what is no hint is passed over. */
  take(found: unknown): void {
    if (isHint(found)) this.#readers.give({ prefix: found.prefix, revision: found.revision })
    else this.#options.log.debug('the broker brought something that is no hint')
  }

  /** Sends what waits, in turn, each until `sent` answers that the broker has it. Ends with `close`. */
  async sendAll(sent: (hint: Hint) => Promise<boolean>): Promise<void> {
    const { clock, random } = this.#options
    const backoff = new Backoff({ firstMs: RETRY_MS.low, maxMs: RETRY_MS.high, random })
    for await (const hint of this.#outgoing) {
      while (!(await sent(hint))) if (!(await sleepQuietly(clock, backoff.nextMs(), this.closing))) return
      backoff.reset()
    }
  }

  arrived(): void {
    this.#health.arrived()
  }

  /** Who closes the bus has not lost the broker. */
  lost(cause: unknown): void {
    if (!this.closing.aborted) this.#health.lost(cause)
  }

  close(): void {
    this.#closing.abort()
    this.#readers.close()
  }
}
