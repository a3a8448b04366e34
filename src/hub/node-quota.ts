import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Store, Txn } from '../core/store.ts'

export interface NodeQuotaOptions {
  readonly store: Store
  readonly keys: number
  /** Of the values. */
  readonly chars: number
}

/** Sizes of the values a node holds, by key. */
type Held = Map<string, number>

/**
 * Bounds what the credential of one node can put into the store, so that a node that went mad cannot fill it for all. Counts
 * what goes through this hub, and counts anew from the store before it refuses.
 */
export class NodeQuota {
  readonly #options: NodeQuotaOptions
  readonly #held = new Map<string, Held>()

  constructor(options: NodeQuotaOptions) {
    this.#options = options
  }

  /** Throws `TOO_LARGE` if the node would hold too much after the transaction; else counts it as made. */
  async reserve(node: string, txn: Txn): Promise<void> {
    const known = this.#held.get(node)
    if (known !== undefined && this.#fits(known, txn)) return
    const { entries } = await this.#options.store.list(keys.node(node))
    const held: Held = new Map(entries.map(({ key, value }) => [key, value.length]))
    this.#held.set(node, held)
    if (this.#fits(held, txn)) return
    const { keys: keysMax, chars } = this.#options
    throw new FlotillaError('TOO_LARGE', `node ${node} would hold more than ${keysMax} keys or ${chars} characters`)
  }

  /** Applies the transaction to what is held, unless that would be too much. */
  #fits(held: Held, { changes }: Txn): boolean {
    const after = new Map(held)
    for (const change of changes) {
      if (change.op === 'put') after.set(change.key, change.value.length)
      else after.delete(change.key)
    }
    const chars = [...after.values()].reduce((sum, size) => sum + size, 0)
    if (after.size > this.#options.keys || chars > this.#options.chars) return false
    for (const change of changes) {
      if (change.op === 'put') held.set(change.key, change.value.length)
      else held.delete(change.key)
    }
    return true
  }
}
