import type { Bus, Hint } from '../../src/core/bus.ts'
import type { Clock } from '../../src/core/clock.ts'

export interface Faults {
  /** Share of the hints that are lost, from 0 to 1. */
  readonly lose?: number
  /** Share that is given once more. */
  readonly repeat?: number
  /** Share that comes late, and so after those that were published later. */
  readonly delay?: number
  readonly delayMsMax?: number
}

export interface LossyOptions extends Faults {
  readonly clock: Clock
  /** Uniform in [0, 1); with a seed, the same faults every time. */
  readonly random: () => number
}

/** A bus that does everything a bus may do: loses, repeats and reorders hints. */
export class LossyBus implements Bus {
  readonly #inner: Bus
  readonly #options: LossyOptions

  constructor(inner: Bus, options: LossyOptions) {
    this.#inner = inner
    this.#options = options
  }

  async publish(hint: Hint): Promise<void> {
    const { lose = 0, repeat = 0, delay = 0, delayMsMax = 1000, random, clock } = this.#options
    if (random() < lose) return
    if (random() < repeat) await this.#inner.publish(hint)
    if (random() < delay) {
      const late = async (): Promise<void> => {
        await clock.sleep(random() * delayMsMax)
        await this.#inner.publish(hint)
      }
      // A bus that was closed meanwhile has lost it.
      void late().catch(() => undefined)
      return
    }
    await this.#inner.publish(hint)
  }

  subscribe(options: { readonly node: string; readonly signal: AbortSignal }): AsyncIterable<Hint> {
    return this.#inner.subscribe(options)
  }

  async close(): Promise<void> {
    await this.#inner.close()
  }
}
