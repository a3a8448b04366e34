/** Something that gives its items one after the other, and stops when the signal is aborted. */
export type Unit<T> = (signal: AbortSignal) => AsyncIterable<T>

/**
 * The items of all units, those of the first, then those of the second and so on, while several run at once, each at most
 * `ahead` items before it is its turn. The failure of one is thrown at its turn. Whoever stops iterating ends all.
 */
export async function* inOrder<T>(
  units: readonly Unit<T>[],
  {
    parallel,
    ahead,
    signal,
  }: { readonly parallel: number; readonly ahead: number; readonly signal?: AbortSignal | undefined },
): AsyncGenerator<T, void> {
  const ending = new AbortController()
  const all = signal === undefined ? ending.signal : AbortSignal.any([signal, ending.signal])
  const running: Buffered<T>[] = []
  let next = 0
  try {
    while (true) {
      for (; running.length < parallel && next < units.length; next++) {
        running.push(new Buffered((units[next] as Unit<T>)(all), ahead))
      }
      const first = running[0]
      if (first === undefined) return
      yield* first.items()
      running.shift()
    }
  } finally {
    ending.abort(new Error('no longer wanted'))
    await Promise.all(running.map((one) => one.stop()))
  }
}

/** Runs ahead of whoever takes its items, up to a limit. */
class Buffered<T> {
  readonly #ready: T[] = []
  readonly #ahead: number
  readonly #done: Promise<void>
  #outcome: { readonly error?: unknown } | undefined
  #isStopped = false
  #wake: (() => void) | undefined

  constructor(source: AsyncIterable<T>, ahead: number) {
    this.#ahead = ahead
    this.#done = this.#run(source)
  }

  async *items(): AsyncGenerator<T, void> {
    while (true) {
      while (this.#ready.length > 0) {
        yield this.#ready.shift() as T
        this.#signal()
      }
      if (this.#outcome !== undefined) {
        if ('error' in this.#outcome) throw this.#outcome.error
        return
      }
      await this.#change()
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#signal()
    await this.#done
  }

  async #run(source: AsyncIterable<T>): Promise<void> {
    try {
      for await (const item of source) {
        this.#ready.push(item)
        this.#signal()
        while (this.#ready.length >= this.#ahead && !this.#isStopped) await this.#change()
        if (this.#isStopped) break
      }
      this.#outcome = {}
    } catch (error) {
      this.#outcome = { error }
    }
    this.#signal()
  }

  /** Only ever one of the two sides waits: the one for items, the other for room. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  #signal(): void {
    this.#wake?.()
    this.#wake = undefined
  }
}
