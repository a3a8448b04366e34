/** Paths that are to be looked at: now, or when they have been left alone for a while. */
export class Looks {
  readonly #max: number
  readonly #ready = new Set<string>()
  readonly #waiting = new Map<string, number>()
  #overflowed = false

  constructor(max: number) {
    this.#max = max
  }

  /** One that waits to be left alone goes on waiting: it is looked at soon anyhow, and may change many times until then. */
  add(path: string): void {
    if (this.#waiting.has(path)) return
    if (this.#ready.size + this.#waiting.size >= this.#max) this.#overflowed = true
    else this.#ready.add(path)
  }

  wait(path: string, untilMs: number): void {
    if (this.#ready.size + this.#waiting.size >= this.#max) this.#overflowed = true
    else this.#waiting.set(path, untilMs)
  }

  /** Those that have waited long enough are to be looked at now. */
  wake(nowMs: number): void {
    for (const [path, untilMs] of this.#waiting) {
      if (untilMs > nowMs) continue
      this.#waiting.delete(path)
      this.#ready.add(path)
    }
  }

  take(): string | undefined {
    for (const path of this.#ready) {
      this.#ready.delete(path)
      return path
    }
    return undefined
  }

  /** When the next one is due; undefined without any. */
  dueMs(nowMs: number): number | undefined {
    if (this.#ready.size > 0) return nowMs
    let first: number | undefined
    for (const untilMs of this.#waiting.values()) first = Math.min(first ?? untilMs, untilMs)
    return first
  }

  /** When all that wait by now will have been looked at again. */
  quietMs(nowMs: number): number {
    let last = nowMs
    for (const untilMs of this.#waiting.values()) last = Math.max(last, untilMs)
    return last
  }

  /** Whether there was more than can be kept, since the last time of asking: everything has to be looked at then. */
  takeOverflow(): boolean {
    const overflowed = this.#overflowed
    this.#overflowed = false
    return overflowed
  }
}
