import type { Clock } from '../core/clock.ts'
import { Deadlines, type Ending } from './deadlines.ts'

export interface Wait {
  readonly ms: number
  readonly signal: AbortSignal
}

/** One who waits. Looks once more by `look`; is done when it has its answer. */
interface Waiting extends Ending {
  readonly topic: string
  readonly look: () => void
}

/** Those who wait, by what they wait for. Each costs a few closures and no timer: there may be thousands. */
export class Waiters {
  readonly #deadlines: Deadlines
  readonly #waiting = new Map<string, Set<Waiting>>()
  #count = 0

  constructor(clock: Clock) {
    this.#deadlines = new Deadlines(clock)
  }

  get count(): number {
    return this.#count
  }

  look(topic: string): void {
    for (const one of this.#waiting.get(topic) ?? []) one.look()
  }

  lookAll(): void {
    for (const topic of this.#waiting.keys()) this.look(topic)
  }

  /** Resolves with what `answer` finds, now or at a later look, or undefined when the time is over; rejects with the signal's reason. */
  until<T>(topic: string, answer: () => T | undefined, { ms, signal }: Wait): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const now = answer()
      if (now !== undefined || ms <= 0) return resolve(now)
      const over = (): void => {
        signal.removeEventListener('abort', abort)
        this.#leave(one)
      }
      const abort = (): void => {
        over()
        reject(signal.reason as Error)
      }
      const look = (): void => {
        try {
          const found = answer()
          if (found === undefined) return
          resolve(found)
        } catch (error) {
          reject(error)
        }
        over()
      }
      const end = (): void => {
        over()
        resolve(undefined)
      }
      const one: Waiting = { topic, look, end, endsMs: this.#deadlines.after(ms) }
      signal.addEventListener('abort', abort, { once: true })
      this.#enter(one)
    })
  }

  #enter(one: Waiting): void {
    const waiting = this.#waiting.get(one.topic) ?? new Set()
    waiting.add(one)
    this.#waiting.set(one.topic, waiting)
    this.#deadlines.add(one)
    this.#count += 1
  }

  #leave(one: Waiting): void {
    const waiting = this.#waiting.get(one.topic)
    if (waiting?.delete(one) !== true) return
    this.#deadlines.delete(one)
    this.#count -= 1
    if (waiting.size === 0) this.#waiting.delete(one.topic)
  }
}
