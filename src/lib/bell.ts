import type { Op } from '../core/op.ts'

/** Wakes everybody who waits at the moment it is rung. */
export class Bell {
  readonly #waiting = new Set<() => void>()

  /** Nobody waits. */
  get isQuiet(): boolean {
    return this.#waiting.size === 0
  }

  ring(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }

  /** Resolves at the next ring after the moment of calling; rejects with the signal's reason. */
  async rung({ signal }: Op): Promise<void> {
    signal?.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const wake = (): void => {
        signal?.removeEventListener('abort', leave)
        resolve()
      }
      const leave = (): void => {
        this.#waiting.delete(wake)
        reject(signal?.reason as Error)
      }
      this.#waiting.add(wake)
      signal?.addEventListener('abort', leave, { once: true })
    })
  }
}
