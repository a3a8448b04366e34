import type { Clock } from '../../src/core/clock.ts'
import type { Memory } from '../../src/agent/memory.ts'

/**
 * One run of an agent's process, from its start to its end. Everything the agent does to the world goes through `effect`,
 * and every effect is two places where `kill -9` can hit: before it, and after it, when nobody gets to know. A dead
 * process does nothing any more: what it waits for never comes.
 */
export class Life {
  readonly #death = new AbortController()
  #killAt: number | undefined
  #points = 0

  /** With `killAt`, it dies at that point, counted from 1. */
  constructor(killAt?: number) {
    this.#killAt = killAt
  }

  /** Aborts when the process dies. */
  get signal(): AbortSignal {
    return this.#death.signal
  }

  get isOver(): boolean {
    return this.#death.signal.aborted
  }

  /** Points passed so far. */
  get points(): number {
    return this.#points
  }

  /** It is not to die after all. */
  spare(): void {
    this.#killAt = undefined
  }

  kill(): void {
    this.#death.abort()
  }

  async effect<T>(work: () => Promise<T> | T): Promise<T> {
    await this.#point()
    try {
      return await work()
    } finally {
      await this.#point()
    }
  }

  /** Never resolves once the process is dead. */
  async breathe(): Promise<void> {
    if (this.isOver) await new Promise(() => undefined)
  }

  async #point(): Promise<void> {
    this.#points += 1
    if (this.#points === this.#killAt) this.kill()
    await this.breathe()
  }
}

/** The clock of a machine as a process on it sees it. Its wall clock may be wrong by `wall.offsetMs`. */
export function clockOf(life: Life, clock: Clock, wall: { readonly offsetMs: number }): Clock {
  return {
    nowMs: () => clock.nowMs() + wall.offsetMs,
    monotonicMs: () => clock.monotonicMs(),
    async sleep(ms, signal) {
      try {
        await clock.sleep(ms, signal)
      } finally {
        await life.breathe()
      }
    },
  }
}

export function memoryOf(life: Life, texts: Map<string, string>): Memory {
  return {
    load: async (name) => await life.effect(() => texts.get(name)),
    save: async (name, text) => await life.effect(() => void texts.set(name, text)),
  }
}
