/** When a decision is made. */
export interface Moment {
  /** For people, and for what is agreed upon by the wall clock. It may be an hour off, and jump. */
  readonly wallMs: number
  /** Of the process that decides: what lasts is measured with it. */
  readonly monotonicMs: number
  /** What held at the decision before, and since when on the monotonic clock; empty for a process that takes over. */
  readonly held: ReadonlyMap<string, number>
}

/** However long there is to wait, it is looked at again after this: the wall clock may have jumped. */
const AGAIN_MS = 60_000

/**
 * Measures how long conditions hold without a break, by what one process has seen itself: no clock is compared with another
 * one's. Whoever takes over starts to measure anew, so things may take longer, never shorter.
 */
export class Timers {
  readonly #moment: Moment
  readonly #held = new Map<string, number>()
  #againMs = AGAIN_MS

  constructor(moment: Moment) {
    this.#moment = moment
  }

  /** For the next decision. */
  get held(): ReadonlyMap<string, number> {
    return this.#held
  }

  /** After how long another decision may come out differently although nothing has changed. */
  get againMs(): number {
    return this.#againMs
  }

  /** To be asked in every decision in which the condition holds. */
  hasHeld(condition: string, ms: number): boolean {
    const { held, monotonicMs } = this.#moment
    const sinceMs = held.get(condition) ?? monotonicMs
    this.#held.set(condition, sinceMs)
    const leftMs = sinceMs + ms - monotonicMs
    if (leftMs > 0) this.lookIn(leftMs)
    return leftMs <= 0
  }

  lookIn(ms: number): void {
    this.#againMs = Math.min(this.#againMs, ms)
  }
}
