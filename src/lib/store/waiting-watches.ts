import type { Batch } from '../../core/store.ts'
import { touches } from './change-log.ts'

interface Waiting {
  readonly prefixes: readonly string[]
  /** Undefined when there is nothing more to wait for. */
  wake(revision: number | undefined): void
}

/** Watches that have read everything and wait for a commit under one of their prefixes. Commits elsewhere do not wake them. */
export class WaitingWatches {
  readonly #waiting = new Set<Waiting>()

  /** The revision of the next commit under one of `prefixes`; undefined when `signal` aborts or the store ends. */
  next(prefixes: readonly string[], signal: AbortSignal): Promise<number | undefined> {
    return new Promise((resolve) => {
      const end = (): void => waiting.wake(undefined)
      const waiting: Waiting = {
        prefixes,
        wake: (revision) => {
          this.#waiting.delete(waiting)
          signal.removeEventListener('abort', end)
          resolve(revision)
        },
      }
      this.#waiting.add(waiting)
      signal.addEventListener('abort', end, { once: true })
    })
  }

  /** Wakes whom these commits concern, with the first of them that does. */
  wake(batches: readonly Batch[]): void {
    for (const waiting of this.#waiting) {
      const first = batches.find((batch) => touches(batch, waiting.prefixes))
      if (first !== undefined) waiting.wake(first.revision)
    }
  }

  end(): void {
    for (const waiting of this.#waiting) waiting.wake(undefined)
  }
}
