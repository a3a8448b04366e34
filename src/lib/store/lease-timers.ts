import type { Clock } from '../../core/clock.ts'

/** How long to wait before ending a lease is tried again, when that failed because the disk is full. */
const RETRY_MS = 1000

interface Timer {
  readonly ttlMs: number
  deadlineMs: number
  readonly stop: AbortController
}

/** The leases that hold, and until when. Knows nothing of keys: ending a lease is up to `expire`. */
export class LeaseTimers {
  readonly #clock: Clock
  readonly #expire: (id: string) => Promise<unknown>
  readonly #timers = new Map<string, Timer>()

  /** `expire` is called when a lease is due, and again later if it rejects; it ends in `remove`, or in `renew`. */
  constructor(clock: Clock, expire: (id: string) => Promise<unknown>) {
    this.#clock = clock
    this.#expire = expire
  }

  get count(): number {
    return this.#timers.size
  }

  add(id: string, ttlMs: number): void {
    const timer: Timer = { ttlMs, deadlineMs: this.#clock.monotonicMs() + ttlMs, stop: new AbortController() }
    this.#timers.set(id, timer)
    void this.#run(id, timer)
  }

  has(id: string): boolean {
    return this.#timers.has(id)
  }

  isDue(id: string): boolean {
    const timer = this.#timers.get(id)
    return timer !== undefined && this.#leftMs(timer) <= 0
  }

  /** False if the lease has ended. One that is due but was not ended yet is saved. */
  renew(id: string): boolean {
    const timer = this.#timers.get(id)
    if (timer === undefined) return false
    timer.deadlineMs = this.#clock.monotonicMs() + timer.ttlMs
    return true
  }

  remove(id: string): void {
    this.#timers.get(id)?.stop.abort()
    this.#timers.delete(id)
  }

  close(): void {
    for (const id of this.#timers.keys()) this.remove(id)
  }

  async #run(id: string, timer: Timer): Promise<void> {
    const { signal } = timer.stop
    while (!signal.aborted) {
      const leftMs = this.#leftMs(timer)
      const step = leftMs > 0 ? this.#clock.sleep(leftMs, signal) : this.#expire(id)
      await step.catch(() => this.#clock.sleep(RETRY_MS, signal)).catch(() => undefined)
    }
  }

  #leftMs(timer: Timer): number {
    return timer.deadlineMs - this.#clock.monotonicMs()
  }
}
