/** Paths that are to be looked at: now, or when they have been left alone for a while. */
export class Looks {
  readonly #max: number
  readonly #ready = new Set<string>()
  readonly #waiting = new Map<string, number>()
  /** Those of `#waiting` of which only one thing was heard. */
  readonly #once = new Set<string>()
  #overflowed = false

  constructor(max: number) {
    this.#max = max
  }

  /** One that waits to be left alone goes on waiting: it is looked at soon anyhow, and may change many times until then. */
  add(path: string): void {
    this.#once.delete(path)
    if (this.#waiting.has(path)) return
    if (this.#ready.size + this.#waiting.size >= this.#max) this.#overflowed = true
    else this.#ready.add(path)
  }

  wait(path: string, untilMs: number): void {
    this.#once.delete(path)
    if (this.#ready.size + this.#waiting.size >= this.#max) this.#overflowed = true
    else this.#waiting.set(path, untilMs)
  }

  /** Something was heard of it that is likely to be our own doing. */
  waitOnce(path: string, untilMs: number): void {
    const isFirst = !this.#waiting.has(path) && !this.#ready.has(path)
    this.wait(path, untilMs)
    if (isFirst && this.#waiting.has(path)) this.#once.add(path)
  }

  /**
   * It was our own doing, if nothing else was heard of it: then it need not be looked at. What is heard comes in the order in which it happened: the
   * one thing is what we did, or came before that.
   */
  forgetOnce(path: string): void {
    if (this.#once.delete(path)) this.#waiting.delete(path)
  }

  /** Those that have waited long enough are to be looked at now. */
  wake(nowMs: number): void {
    for (const [path, untilMs] of this.#waiting) {
      if (untilMs > nowMs) continue
      this.#waiting.delete(path)
      this.#once.delete(path)
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
