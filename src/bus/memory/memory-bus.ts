import type { Bus, Hint } from '../../core/bus.ts'
import { HintReaders } from '../../lib/hint-readers.ts'

/** A bus inside one process: for a hub with its agents in it, and for tests. Loses nothing. */
export class MemoryBus implements Bus {
  readonly #readers = new HintReaders()

  async publish(hint: Hint): Promise<void> {
    this.#readers.check(hint)
    this.#readers.give(hint)
  }

  subscribe({ signal }: { readonly node: string; readonly signal: AbortSignal }): AsyncIterable<Hint> {
    return this.#readers.subscribe(signal)
  }

  async close(): Promise<void> {
    this.#readers.close()
  }
}
