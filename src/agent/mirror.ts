import { FlotillaError, isError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import type { Service } from '../core/service.ts'
import type { Batch, Entry, Listing, Store } from '../core/store.ts'

export interface MirrorOptions {
  readonly store: Store
  readonly prefix: string
  /** Called after the copy changed, with the keys that did. */
  readonly onChange: (keys: readonly string[]) => void
}

/**
 * A copy of one prefix of the store that follows its watch, so that a change is here with the message that tells of it:
 * no request is needed to act on it. While the store cannot be reached the copy stays as it was.
 *
 * `run` rejects when the watch breaks; run again, it goes on from the last revision seen and misses nothing.
 */
export class Mirror implements Service {
  readonly name: string
  readonly #options: MirrorOptions
  #entries = new Map<string, Entry>()
  #revision: number | undefined

  constructor(options: MirrorOptions) {
    this.#options = options
    this.name = `follow ${options.prefix}`
  }

  get entries(): ReadonlyMap<string, Entry> {
    return this.#entries
  }

  /** The revision this copy has reached, as far as is known; undefined before the store was first reached. */
  get revision(): number | undefined {
    return this.#revision
  }

  async run(signal: AbortSignal): Promise<void> {
    const { store, prefix } = this.#options
    if (this.#revision === undefined) await this.refresh({ signal })
    while (!signal.aborted) {
      try {
        for await (const batch of store.watch(prefix, { after: this.#revision ?? 0, signal })) this.#apply(batch)
        if (!signal.aborted) throw new FlotillaError('UNREACHABLE', `the watch of ${prefix} ended by itself`)
      } catch (error) {
        if (!isError(error, 'COMPACTED')) throw error
        // Also when a store was restored from a copy and its revisions went back: only a new list can be trusted then.
        this.#take(await store.list(prefix, { signal }), { trusted: true })
      }
    }
  }

  /** Lists again: for a hint that is ahead of the watch, and now and then, in case a watch died in silence. */
  async refresh(op: Op): Promise<void> {
    this.#take(await this.#options.store.list(this.#options.prefix, op), { trusted: false })
  }

  /** Unless `trusted`, a listing that is older than what the watch brought meanwhile is dropped. */
  #take(listing: Listing, { trusted }: { readonly trusted: boolean }): void {
    const first = this.#revision === undefined
    if (!trusted && !first && listing.revision < (this.#revision ?? 0)) return
    const before = this.#entries
    this.#entries = new Map(listing.entries.map((entry) => [entry.key, entry]))
    this.#revision = listing.revision
    const keys = new Set([...before.keys(), ...this.#entries.keys()])
    const changed = [...keys].filter((key) => trusted || before.get(key)?.revision !== this.#entries.get(key)?.revision)
    if (first || changed.length > 0) this.#options.onChange(changed)
  }

  #apply(batch: Batch): void {
    if (batch.revision <= (this.#revision ?? 0)) return
    this.#revision = batch.revision
    const keys: string[] = []
    for (const change of batch.changes) {
      if (change.op === 'put') {
        this.#entries.set(change.entry.key, change.entry)
        keys.push(change.entry.key)
      } else {
        this.#entries.delete(change.key)
        keys.push(change.key)
      }
    }
    this.#options.onChange(keys)
  }
}
