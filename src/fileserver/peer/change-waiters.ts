import type { Clock } from '../../core/clock.ts'
import type { TreeIndex } from '../../core/files/tree-index.ts'
import { sleepQuietly } from '../../lib/waiting.ts'

/** Any number of answers that wait for the next change of one tree: one question to its index for all of them. */
export class ChangeWaiters {
  readonly #index: TreeIndex
  readonly #clock: Clock
  readonly #closing = new AbortController()
  readonly #armed = new Set<Waiting>()
  #isWatching = false

  constructor(index: TreeIndex, clock: Clock) {
    this.#index = index
    this.#clock = clock
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  /** From now on no change is missed, until what is returned is disposed of. */
  arm(): Waiting {
    const waiting = new Waiting(this.#clock, (done) => this.#armed.delete(done))
    this.#armed.add(waiting)
    if (!this.#isWatching) void this.#watch()
    return waiting
  }

  close(): void {
    this.#closing.abort()
  }

  async #watch(): Promise<void> {
    this.#isWatching = true
    try {
      while (this.#armed.size > 0 && !this.isClosed) {
        await this.#index.changed({ signal: this.#closing.signal })
        this.#wake()
      }
    } catch (error) {
      this.#wake(this.isClosed ? undefined : asError(error))
    } finally {
      this.#isWatching = false
    }
  }

  #wake(failure?: Error): void {
    const armed = [...this.#armed]
    this.#armed.clear()
    for (const waiting of armed) waiting.wake(failure)
  }
}

/** One answer that waits. */
export class Waiting implements Disposable {
  readonly #clock: Clock
  readonly #leave: (self: Waiting) => void
  #isWoken = false
  #failure: Error | undefined
  #stop: AbortController | undefined

  constructor(clock: Clock, leave: (self: Waiting) => void) {
    this.#clock = clock
    this.#leave = leave
  }

  /** Resolves with true when something has changed since it was armed, with false after `ms`. Rejects with the signal's reason, or as the index does. */
  async change(ms: number, signal: AbortSignal): Promise<boolean> {
    await this.#sleep(ms, signal)
    if (this.#failure !== undefined) throw this.#failure
    return this.#isWoken
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#isWoken) return
    const stop = new AbortController()
    this.#stop = stop
    const abort = (): void => stop.abort()
    signal.addEventListener('abort', abort, { once: true })
    await sleepQuietly(this.#clock, ms, stop.signal)
    signal.removeEventListener('abort', abort)
    signal.throwIfAborted()
  }

  wake(failure?: Error): void {
    this.#isWoken = true
    this.#failure = failure
    this.#stop?.abort()
  }

  [Symbol.dispose](): void {
    this.#leave(this)
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
