import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Store, Txn } from '../core/store.ts'

export interface NodeQuotaOptions {
  readonly store: Store
  readonly keys: number
  /** Of the values. */
  readonly chars: number
  readonly clock: Clock
}

/** What a node puts through other hubs of the same store is seen when it is counted anew. */
const COUNTED_MS = 60_000

/** Sizes of the values a node may hold, by key: never less than what it held when they were counted, and put here since. */
type Held = Map<string, number>

interface Count {
  readonly held: Held
  readonly atMs: number
}

/**
 * Bounds what the credential of one node can put into the store, so that a node that went mad cannot fill it for all.
 * Counts what goes through this hub as if nothing ever went away, and counts anew from the store before it refuses.
 */
export class NodeQuota {
  readonly #options: NodeQuotaOptions
  readonly #held = new Map<string, Count>()

  constructor(options: NodeQuotaOptions) {
    this.#options = options
  }

  /** Throws `TOO_LARGE` if the node would hold too much after the transaction. */
  async reserve(node: string, { changes }: Txn): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs()
    const count = this.#held.get(node)
    let held = count?.held
    if (count === undefined || held === undefined || nowMs - count.atMs > COUNTED_MS || !this.#fits(held, changes)) {
      const { entries } = await this.#options.store.list(keys.node(node))
      held = new Map(entries.map(({ key, value }) => [key, value.length]))
      this.#held.set(node, { held, atMs: nowMs })
      if (!this.#fits(held, changes)) throw this.#tooMuch(node)
    }
    // The commit may yet fail, and then what it would have deleted or shortened is still there.
    for (const change of changes) {
      if (change.op === 'put') held.set(change.key, Math.max(change.value.length, held.get(change.key) ?? 0))
    }
  }

  #fits(held: Held, changes: Txn['changes']): boolean {
    const after = new Map(held)
    for (const change of changes) {
      if (change.op === 'put') after.set(change.key, change.value.length)
      else after.delete(change.key)
    }
    const chars = [...after.values()].reduce((sum, size) => sum + size, 0)
    return after.size <= this.#options.keys && chars <= this.#options.chars
  }

  #tooMuch(node: string): FlotillaError {
    const { keys: keysMax, chars } = this.#options
    return new FlotillaError('TOO_LARGE', `node ${node} would hold more than ${keysMax} keys or ${chars} characters`)
  }
}
