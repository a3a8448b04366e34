import { OPS_LIMITS } from '../core/push/wire.ts'

/** So often may the connection break at one operation alone before it is set aside. */
const FAILURES = 3
const SUSPECTS_MAX = 4096

/**
 * Finds the operation at which a child breaks down each time: those of a batch at which the connection broke go in smaller ones, until
 * one is alone and known. Outlives connections.
 */
export class Suspects {
  /** In how large a batch each may go. */
  readonly #groups = new Map<string, number>()
  readonly #failures = new Map<string, number>()
  /** How far bodies had come that failed. */
  readonly #reached = new Map<string, number>()

  /** How many operations may be in a batch with that one. */
  groupOf(key: string): number {
    return this.#groups.get(key) ?? OPS_LIMITS.operations
  }

  batchFailed(keys: readonly string[]): void {
    if (this.#groups.size > SUSPECTS_MAX) this.#groups.clear()
    for (const key of keys) this.#groups.set(key, Math.max(1, keys.length >>> 1))
  }

  /** True where it has been alone often enough. */
  failed(key: string): boolean {
    const failures = (this.#failures.get(key) ?? 0) + 1
    if (failures < FAILURES) this.#failures.set(key, failures)
    else this.#failures.delete(key)
    return failures >= FAILURES
  }

  /** A body begins there: whoever comes further with each attempt gets there in the end. */
  begins(key: string, from: number): void {
    if (!this.#failures.has(key) || from <= (this.#reached.get(key) ?? 0)) return
    this.#reached.set(key, from)
    this.#failures.delete(key)
  }

  /** They arrived. */
  cleared(keys: readonly string[]): void {
    for (const key of keys) {
      this.#groups.delete(key)
      this.#failures.delete(key)
      this.#reached.delete(key)
    }
  }
}
