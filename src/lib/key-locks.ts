/** One at a time for each name; those of other names do not wait. */
export class KeyLocks {
  readonly #last = new Map<string, Promise<void>>()

  async with<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.withAll([name], work)
  }

  /** Takes its place in all lines at the same moment: so none waits for another in a circle. */
  async withAll<T>(names: readonly string[], work: () => Promise<T>): Promise<T> {
    const mine = new Set(names)
    const { promise, resolve } = Promise.withResolvers<void>()
    const before = [...mine].flatMap((name) => this.#last.get(name) ?? [])
    for (const name of mine) this.#last.set(name, promise)
    try {
      await Promise.all(before)
      return await work()
    } finally {
      for (const name of mine) if (this.#last.get(name) === promise) this.#last.delete(name)
      resolve()
    }
  }
}
