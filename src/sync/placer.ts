import type { Clock } from '../core/clock.ts'
import type { Places, Ready } from './places.ts'

interface Waiting {
  readonly ready: Ready
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** So many, or what comes within so long, are put in their places together. */
const TOGETHER = { files: 256, bytes: 8 * 1024 * 1024, ms: 2 } as const

/** Gathers files that arrive one by one: putting many of a folder in their places together costs far less. */
export class Placer {
  readonly #places: Places
  readonly #clock: Clock
  #waiting: Waiting[] = []
  #bytes = 0
  #isTimed = false

  constructor(places: Places, clock: Clock) {
    this.#places = places
    this.#clock = clock
  }

  /** Resolves when the file is in its place; rejects with why it is not. */
  async put(ready: Ready): Promise<void> {
    const done = new Promise<void>((resolve, reject) => this.#waiting.push({ ready, resolve, reject }))
    this.#bytes += ready.bytes.byteLength
    if (this.#waiting.length >= TOGETHER.files || this.#bytes >= TOGETHER.bytes) void this.#flush()
    else void this.#flushLater()
    await done
  }

  async #flushLater(): Promise<void> {
    if (this.#isTimed) return
    this.#isTimed = true
    await this.#clock.sleep(TOGETHER.ms)
    this.#isTimed = false
    await this.#flush()
  }

  async #flush(): Promise<void> {
    const taken = this.#waiting
    this.#waiting = []
    this.#bytes = 0
    const failed = await this.#places.putAll(taken.map(({ ready }) => ready))
    for (const { ready, resolve, reject } of taken) {
      const error = failed.get(ready)
      if (error === undefined) resolve()
      else reject(error)
    }
  }
}
