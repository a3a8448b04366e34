import { setImmediate } from 'node:timers/promises'
import type { Op } from '../../../core/op.ts'

const TURN_MS = 10

/** Keeps long work from holding up everything else in the process: `await pace.rest()` between its steps. */
export class Pace {
  readonly #signal: AbortSignal | undefined
  #until = performance.now() + TURN_MS

  constructor(op?: Op) {
    this.#signal = op?.signal
  }

  /** Lets others run if it is their turn. Rejects with the signal's reason once it is aborted. */
  async rest(): Promise<void> {
    this.#signal?.throwIfAborted()
    if (performance.now() < this.#until) return
    await setImmediate()
    this.#until = performance.now() + TURN_MS
  }
}
