interface Barrier {
  /** The scan of everything that has to be over. */
  readonly scan: number
  /** When what was being written at the end of that scan will have been looked at again. */
  quietMs: number | undefined
  readonly resolve: () => void
}

/** Those who wait until all that is there by now is in the index. */
export class Barriers {
  readonly #waiting = new Set<Barrier>()

  async wait(scan: number): Promise<void> {
    await new Promise<void>((resolve) => void this.#waiting.add({ scan, quietMs: undefined, resolve }))
  }

  /** `done`: the scans that are over; `quietMs`: when all that is waited for now has been looked at. Only while nothing is scanned. */
  pass(nowMs: number, done: number, quietMs: number): void {
    for (const barrier of this.#waiting) {
      if (barrier.scan > done) continue
      barrier.quietMs ??= quietMs
      if (nowMs <= barrier.quietMs) continue
      this.#waiting.delete(barrier)
      barrier.resolve()
    }
  }

  /** When the next may pass. */
  dueMs(): number {
    let due = Infinity
    for (const { quietMs } of this.#waiting) if (quietMs !== undefined) due = Math.min(due, quietMs + 1)
    return due
  }
}
