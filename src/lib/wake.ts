import type { Clock } from '../core/clock.ts'
import { sleepQuietly } from './waiting.ts'

/** An error of its own each time would cost more than the rest of a wake-up. */
const HEARD = new Error('heard')

export interface WaitOptions<R extends string> {
  /** Look again after this long although nothing was heard. */
  readonly ms: number
  readonly signal: AbortSignal
  /** Reasons that do not cut the wait short; they are kept, and answered when it ends. */
  readonly deaf?: readonly R[]
}

/** Merges everything that says "look again". Any number of calls before the next look are one: at most one is pending. */
export class Wake<R extends string> {
  readonly #clock: Clock
  #pending = new Set<R>()
  #heard: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  poke(reason: R): void {
    this.#pending.add(reason)
    this.#heard?.()
  }

  /** Resolves with what was heard since the last wait; with nothing when the time has passed or the signal aborted. */
  async wait({ ms, signal, deaf = [] }: WaitOptions<R>): Promise<ReadonlySet<R>> {
    const cut = new AbortController()
    this.#heard = () => {
      if ([...this.#pending].some((reason) => !deaf.includes(reason))) cut.abort(HEARD)
    }
    this.#heard()
    // Joining signals costs more than all the rest.
    const stop = (): void => cut.abort(HEARD)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    await sleepQuietly(this.#clock, ms, cut.signal)
    signal.removeEventListener('abort', stop)
    this.#heard = undefined
    const reasons = this.#pending
    this.#pending = new Set()
    return reasons
  }
}
