import { setImmediate } from 'node:timers/promises'
import type { Op } from '../core/op.ts'

const TURN_MS = 10

/** Keeps long work from holding up everything else in the process: `await pace.rest()` between its steps. */
export class Pace {
  readonly #signal: AbortSignal | undefined
  #until = performance.now() + TURN_MS
  #turn: Promise<void> | undefined

  constructor(op: Op = {}) {
    this.#signal = op.signal
  }

  /** Lets others run if it is their turn. Rejects with the signal's reason once it is aborted. */
  async rest(): Promise<void> {
    this.#signal?.throwIfAborted()
    // Several workers may share a pace: together they get one turn, not one each.
    while (performance.now() >= this.#until) await (this.#turn ??= this.#nextTurn())
    this.#signal?.throwIfAborted()
  }

  async #nextTurn(): Promise<void> {
    await setImmediate()
    this.#until = performance.now() + TURN_MS
    this.#turn = undefined
  }
}
