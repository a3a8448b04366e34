/** What is under way, for people. */
export interface Progress {
  /** Known so far: grows until the listing is through. */
  readonly files: number
  readonly bytes: number
  readonly filesDone: number
  readonly bytesDone: number
  readonly isListed: boolean
}

const WINDOW_MS = 15_000

/** Bytes a second over the last moments, and how long the rest will take with that. */
export class Rate {
  readonly #marks: { readonly atMs: number; readonly bytes: number }[] = []

  /** `nowMs` of a monotonic clock, `bytes` in all so far. */
  mark(nowMs: number, bytes: number): void {
    this.#marks.push({ atMs: nowMs, bytes })
    while (this.#marks.length > 2 && nowMs - (this.#marks[0]?.atMs ?? 0) > WINDOW_MS) this.#marks.shift()
  }

  get bytesPerSecond(): number {
    const [first] = this.#marks
    const last = this.#marks.at(-1)
    if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0
    return ((last.bytes - first.bytes) / (last.atMs - first.atMs)) * 1000
  }

  /** Undefined where nothing moves. */
  remainingMs(bytes: number): number | undefined {
    const rate = this.bytesPerSecond
    return rate > 0 ? (bytes / rate) * 1000 : undefined
  }
}
