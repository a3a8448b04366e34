import type { Clock } from '../core/clock.ts'
import type { Places, Ready } from './places.ts'

interface Waiting {
  readonly ready: Ready
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** So many, or what comes within so long, are put in their places together. */
const TOGETHER = { files: 256, bytes: 8 * 1024 * 1024, ms: 25 } as const
/** Bytes that are held at most while they are put in their places. */
const HELD_MAX = 2 * TOGETHER.bytes

/** Gathers files that arrive one by one: putting many of a folder in their places together costs far less. */
export class Placer {
  readonly #places: Places
  readonly #clock: Clock
  #waiting: Waiting[] = []
  #bytes = 0
  /** With those that are just being put in their places. */
  #held = 0
  readonly #wanting = new Set<() => void>()
  #isTimed = false

  constructor(places: Places, clock: Clock) {
    this.#places = places
    this.#clock = clock
  }

  /** Resolves when the file is in its place; rejects with why it is not. */
  async put(ready: Ready): Promise<void> {
    const done = new Promise<void>((resolve, reject) => this.#waiting.push({ ready, resolve, reject }))
    this.#bytes += ready.bytes.byteLength
    this.#held += ready.bytes.byteLength
    if (this.#waiting.length >= TOGETHER.files || this.#bytes >= TOGETHER.bytes) void this.flush()
    else void this.#flushLater()
    await done
  }

  /** Resolves when more may come. */
  async room(): Promise<void> {
    while (this.#held >= HELD_MAX) await new Promise<void>((resolve) => this.#wanting.add(resolve))
  }

  async #flushLater(): Promise<void> {
    if (this.#isTimed) return
    this.#isTimed = true
    await this.#clock.sleep(TOGETHER.ms)
    this.#isTimed = false
    await this.flush()
  }

  /** Nothing more is to be waited for. */
  async flush(): Promise<void> {
    const [taken, bytes] = [this.#waiting, this.#bytes]
    if (taken.length === 0) return
    this.#waiting = []
    this.#bytes = 0
    const failed = await this.#places.putAll(taken.map(({ ready }) => ready))
    for (const { ready, resolve, reject } of taken) {
      const error = failed.get(ready)
      if (error === undefined) resolve()
      else reject(error)
    }
    this.#held -= bytes
    for (const wake of this.#wanting) wake()
    this.#wanting.clear()
  }
}
