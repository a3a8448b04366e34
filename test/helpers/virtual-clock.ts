import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../src/core/clock.ts'

interface Sleeper {
  readonly at: number
  wake(): void
}

/** A clock that stands still until a test moves it. */
export class VirtualClock implements Clock {
  #now = 0
  readonly #epochMs: number
  readonly #sleepers = new Set<Sleeper>()

  constructor(epochMs = 1_700_000_000_000) {
    this.#epochMs = epochMs
  }

  nowMs(): number {
    return this.#epochMs + this.#now
  }

  monotonicMs(): number {
    return this.#now
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        this.#sleepers.delete(sleeper)
        signal?.removeEventListener('abort', cancel)
      }
      const cancel = (): void => {
        leave()
        reject(signal?.reason as Error)
      }
      const wake = (): void => {
        leave()
        resolve()
      }
      const sleeper: Sleeper = { at: this.#now + Math.max(0, ms), wake }
      this.#sleepers.add(sleeper)
      signal?.addEventListener('abort', cancel, { once: true })
    })
  }

  /**
   * Moves time by `ms`, waking every sleeper at its own moment and in order, and lets the woken code run its
   * promises and immediates before time goes on.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await settle()
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#now = Math.max(this.#now, next.at)
      next.wake()
      await settle()
    }
    this.#now = Math.max(this.#now, end)
    await settle()
  }

  #next(end: number): Sleeper | undefined {
    let first: Sleeper | undefined
    for (const sleeper of this.#sleepers) {
      if (sleeper.at <= end && (first === undefined || sleeper.at < first.at)) first = sleeper
    }
    return first
  }
}

/** A few turns of the event loop: what was made ready runs, and what that made ready too. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await setImmediate()
}
