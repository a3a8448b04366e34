import { FlotillaError, isError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import type { Service } from '../core/service.ts'
import type { Batch, Change, Entry, Store } from '../core/store.ts'

export interface MirrorOptions {
  readonly store: Store
  /** At least one. */
  readonly prefixes: readonly [string, ...string[]]
  /** Called after the copy changed, with the keys that did. */
  readonly onChange: (keys: readonly string[]) => void
}

/** What several lists said, one after the other. */
interface Listings {
  readonly entries: readonly Entry[]
  /** Everything up to this revision is in them, and some of what came until `newest`. */
  readonly revision: number
  readonly newest: number
}

/**
 * A copy of some prefixes of the store that follows one watch of all of them, so that a change is here with the message that
 * tells of it: no request is needed to act on it. While the store cannot be reached the copy stays as it was.
 *
 * `run` rejects when the watch breaks; run again, it goes on from the last revision seen and misses nothing.
 */
export class Mirror implements Service {
  readonly name: string
  readonly #options: MirrorOptions
  #entries = new Map<string, Entry>()
  #revision: number | undefined
  /** What changed in lists that were not of one moment: told again once it is certain. */
  #uncertain: readonly string[] = []

  constructor(options: MirrorOptions) {
    this.#options = options
    this.name = `follow ${options.prefixes.join(' ')}`
  }

  get entries(): ReadonlyMap<string, Entry> {
    return this.#entries
  }

  /** Everything up to this revision is in the copy; undefined before the store was first reached. */
  get revision(): number | undefined {
    return this.#revision
  }

  async run(signal: AbortSignal): Promise<void> {
    const { store, prefixes } = this.#options
    const [prefix, ...also] = prefixes
    if (this.#revision === undefined) await this.refresh({ signal })
    while (!signal.aborted) {
      try {
        const after = this.#revision ?? 0
        for await (const batch of store.watch(prefix, { after, also, signal })) this.#apply(batch)
        if (!signal.aborted) throw new FlotillaError('UNREACHABLE', `the watch of ${prefix} ended by itself`)
      } catch (error) {
        if (!isError(error, 'COMPACTED')) throw error
        // Also when a store was restored from a copy and its revisions went back: only a new list can be trusted then.
        this.#take(await this.#list({ signal }), { trusted: true })
      }
    }
  }

  /** Lists again: for a hint that is ahead of the watch, and now and then, in case a watch died in silence. */
  async refresh(op: Op): Promise<void> {
    const before = this.#revision ?? 0
    const listings = await this.#list(op)
    // What was known before the question cannot be missing in the answer, unless the store itself went back.
    this.#take(listings, { trusted: listings.revision < before })
  }

  async #list(op: Op): Promise<Listings> {
    const { store, prefixes } = this.#options
    const all = await Promise.all(prefixes.map(async (prefix) => await store.list(prefix, op)))
    const revisions = all.map(({ revision }) => revision)
    return {
      entries: all.flatMap(({ entries }) => entries),
      revision: Math.min(...revisions),
      newest: Math.max(...revisions),
    }
  }

  /** Unless `trusted`, a listing that is older than what the watch brought meanwhile is dropped. */
  #take({ entries, revision, newest }: Listings, { trusted }: { readonly trusted: boolean }): void {
    const first = this.#revision === undefined
    if (!trusted && !first && revision < (this.#revision ?? 0)) return
    const before = this.#entries
    this.#entries = new Map(entries.map((entry) => [entry.key, entry]))
    this.#revision = revision
    const keys = new Set([...before.keys(), ...this.#entries.keys()])
    const changed = [...keys].filter((key) => trusted || !isSame(before.get(key), this.#entries.get(key)))
    const told = [...new Set([...changed, ...this.#uncertain])]
    this.#uncertain = newest > revision ? changed : []
    if (first || told.length > 0) this.#options.onChange(told)
  }

  #apply(batch: Batch): void {
    if (batch.revision <= (this.#revision ?? 0)) return
    this.#revision = batch.revision
    for (const change of batch.changes) this.#change(change, batch.revision)
    this.#options.onChange(batch.changes.map((change) => (change.op === 'put' ? change.entry.key : change.key)))
  }

  /** Passes over what a list of a later moment has brought already. */
  #change(change: Change, revision: number): void {
    const key = change.op === 'put' ? change.entry.key : change.key
    if ((this.#entries.get(key)?.revision ?? 0) > revision) return
    if (change.op === 'put') this.#entries.set(key, change.entry)
    else this.#entries.delete(key)
  }
}

function isSame(a: Entry | undefined, b: Entry | undefined): boolean {
  return a?.revision === b?.revision && a?.value === b?.value
}
