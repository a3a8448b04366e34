import type { Clock } from '../core/clock.ts'

/** What ends at a moment unless it is taken out before. */
export interface Ending {
  /** By the monotonic clock. */
  readonly endsMs: number
  /** Called once its time is over; takes itself out. */
  readonly end: () => void
}

/** One sleeper for the time limits of all who wait: a timer each is more than all the rest that waiting costs. */
export class Deadlines {
  readonly #clock: Clock
  readonly #endings = new Set<Ending>()
  /** Until the first of them ends; undefined where nobody sleeps. */
  #sleeping: { readonly untilMs: number; readonly over: AbortController } | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  after(ms: number): number {
    return this.#clock.monotonicMs() + ms
  }

  add(ending: Ending): void {
    this.#endings.add(ending)
    if (this.#sleeping === undefined || ending.endsMs < this.#sleeping.untilMs) this.#sleepUntil(ending.endsMs)
  }

  delete(ending: Ending): void {
    this.#endings.delete(ending)
    // Nothing is left behind that would keep a process.
    if (this.#endings.size === 0) this.#wake()
  }

  #wake(): void {
    this.#sleeping?.over.abort()
    this.#sleeping = undefined
  }

  #sleepUntil(untilMs: number): void {
    this.#wake()
    const over = new AbortController()
    this.#sleeping = { untilMs, over }
    void this.#clock.sleep(Math.max(untilMs - this.#clock.monotonicMs(), 0), over.signal).then(
      () => this.#look(),
      () => undefined,
    )
  }

  /** Ends those whose time is over, then sleeps for the others. */
  #look(): void {
    this.#sleeping = undefined
    const nowMs = this.#clock.monotonicMs()
    let nextMs = Infinity
    for (const ending of this.#endings) {
      if (ending.endsMs <= nowMs) ending.end()
      else nextMs = Math.min(nextMs, ending.endsMs)
    }
    if (nextMs < Infinity) this.#sleepUntil(nextMs)
  }
}
