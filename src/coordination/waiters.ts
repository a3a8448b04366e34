import type { Clock } from '../core/clock.ts'

export interface Wait {
  readonly ms: number
  readonly signal: AbortSignal
}

/** Looks once more; true when it has its answer, and need not be asked again. */
type Look = () => boolean

/** Those who wait, by what they wait for. Each costs a closure and a timer: there may be thousands. */
export class Waiters {
  readonly #clock: Clock
  readonly #looks = new Map<string, Set<Look>>()
  #count = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get count(): number {
    return this.#count
  }

  look(topic: string): void {
    for (const look of this.#looks.get(topic) ?? []) look()
  }

  lookAll(): void {
    for (const topic of this.#looks.keys()) this.look(topic)
  }

  /** Resolves with what `answer` finds, now or at a later look, or undefined when the time is over; rejects with the signal's reason. */
  async until<T>(topic: string, answer: () => T | undefined, { ms, signal }: Wait): Promise<T | undefined> {
    signal.throwIfAborted()
    const now = answer()
    if (now !== undefined || ms <= 0) return now
    const over = new AbortController()
    const { promise, resolve, reject } = Promise.withResolvers<T | undefined>()
    const look: Look = () => {
      try {
        const found = answer()
        if (found === undefined) return false
        resolve(found)
      } catch (error) {
        reject(error)
      }
      this.#leave(topic, look)
      return true
    }
    const abort = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', abort, { once: true })
    this.#enter(topic, look)
    void this.#clock.sleep(ms, over.signal).then(
      () => resolve(undefined),
      () => undefined,
    )
    try {
      return await promise
    } finally {
      over.abort()
      signal.removeEventListener('abort', abort)
      this.#leave(topic, look)
    }
  }

  #enter(topic: string, look: Look): void {
    const looks = this.#looks.get(topic) ?? new Set()
    looks.add(look)
    this.#looks.set(topic, looks)
    this.#count += 1
  }

  #leave(topic: string, look: Look): void {
    const looks = this.#looks.get(topic)
    if (looks?.delete(look) !== true) return
    this.#count -= 1
    if (looks.size === 0) this.#looks.delete(topic)
  }
}
