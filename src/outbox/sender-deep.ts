import type { Operation, Version } from '../core/push/operation.ts'
import type { Outcome } from '../core/push/wire.ts'

/** Whoever waits for one looks soon after it was taken; of others the child is asked. */
const KEPT = 1024

/** What a child said of itself to be on every node below when it took it: what has nothing below always says so. */
export class DeepOnes {
  readonly #versions = new Map<string, Version>()

  note({ key, version }: Operation, outcome: Outcome): void {
    this.#versions.delete(key)
    if (!('isDeep' in outcome && outcome.isDeep)) return
    this.#versions.set(key, version)
    const [oldest] = this.#versions.keys()
    if (this.#versions.size > KEPT && oldest !== undefined) this.#versions.delete(oldest)
  }

  has(key: string, { epoch, sequence }: Version): boolean {
    const version = this.#versions.get(key)
    return version?.epoch === epoch && version.sequence === sequence
  }
}
