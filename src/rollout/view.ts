import { FlotillaError, isError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import { isOfWorld } from '../core/rollout/world.ts'
import type { Batch, Entry, Store } from '../core/store.ts'

/**
 * Listed in this order, and watched from the first listing on: what was listed later may be ahead for a moment. That does no
 * harm: a step is committed only if the rollout is still what it was decided on, and what rollouts write elsewhere changes
 * only together with them.
 */
const PREFIXES = [keys.rollouts, keys.desiredOfAll, keys.drains, keys.nodes] as const

/** A copy of all that rollouts depend on, which follows one watch, so that what was one commit is seen as one. */
export class View {
  readonly #store: Store
  readonly #onChange: () => void
  readonly #entries = new Map<string, Entry>()
  #revision: number | undefined

  constructor(store: Store, onChange: () => void) {
    this.#store = store
    this.#onChange = onChange
  }

  /** Undefined before the store was first read. */
  get revision(): number | undefined {
    return this.#revision
  }

  get entries(): ReadonlyMap<string, Entry> {
    return this.#entries
  }

  /** Follows the store until the signal is aborted. Rejects when the watch breaks. */
  async run(signal: AbortSignal): Promise<void> {
    const [first, ...also] = PREFIXES
    while (!signal.aborted) {
      try {
        const after = this.#revision ?? (await this.#list(signal))
        for await (const batch of this.#store.watch(first, { after, also, signal })) this.#apply(batch)
        if (!signal.aborted) throw new FlotillaError('UNREACHABLE', 'the watch of rollouts ended by itself')
      } catch (error) {
        if (!isError(error, 'COMPACTED')) throw error
        this.#revision = undefined
      }
    }
  }

  async #list(signal: AbortSignal): Promise<number> {
    const listings = []
    for (const prefix of PREFIXES) listings.push(await this.#store.list(prefix, { signal }))
    this.#entries.clear()
    for (const entry of listings.flatMap(({ entries }) => entries)) {
      if (isOfWorld(entry.key)) this.#entries.set(entry.key, entry)
    }
    const after = listings[0]?.revision ?? 0
    this.#revision = after
    this.#onChange()
    return after
  }

  #apply({ revision, changes }: Batch): void {
    this.#revision = revision
    let isNews = false
    for (const change of changes) {
      const key = change.op === 'put' ? change.entry.key : change.key
      if (!isOfWorld(key)) continue
      if (change.op === 'put') this.#entries.set(key, change.entry)
      else this.#entries.delete(key)
      isNews = true
    }
    if (isNews) this.#onChange()
  }
}
