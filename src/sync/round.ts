import { type FlotillaError, isError } from '../core/errors.ts'
import type { FileEntry } from '../core/files/entry.ts'
import { guardDeletion } from '../core/sync/guard.ts'
import { isMetadata, metadataRank, modelOf } from '../core/sync/order.ts'
import type { Selection } from '../core/sync/selection.ts'
import type { Summary } from '../core/sync/summary.ts'
import { Fetcher } from './fetcher.ts'
import { Finder, type Found } from './finder.ts'
import { Groups } from './groups.ts'
import { dropParts, fetchLarge, type LargeParts } from './large.ts'
import type { RoundOptions } from './options.ts'
import { removeGone } from './remove.ts'
import { STAGES } from './state-rows.ts'
import type { SyncState } from './state.ts'
import { Tally } from './tally.ts'
import type { Workshop } from './workshop.ts'

const ALL = Number.MAX_SAFE_INTEGER
const KEEP = { keep: 1, minAgeMs: 3_600_000 } as const

/** One look at the source, and everything that follows from it, in the order in which it may become visible. */
export class Round {
  readonly #shop: Workshop
  readonly #state: SyncState
  readonly #signal: AbortSignal
  readonly #tally: Tally
  readonly #selection: Selection
  readonly #parts: LargeParts
  readonly #fetcher: Fetcher
  /** Models of which a file did not come over. */
  readonly #lacking = new Set<string | undefined>()

  constructor(shop: Workshop, selection: Selection, signal: AbortSignal) {
    this.#shop = shop
    this.#state = shop.state
    this.#selection = selection
    this.#signal = signal
    const tally = new Tally({ onProgress: shop.options.onProgress, onFile: shop.options.onFile })
    this.#tally = tally
    this.#parts = { ...shop.parts, travelled: (bytes) => tally.travelled(bytes) }
    this.#fetcher = new Fetcher({
      ...this.#parts,
      signal,
      large: async (job) => fetchLarge(job, this.#parts, signal),
      events: {
        fetched: (entry) => tally.fetched(entry),
        failed: (entry, error) => this.#failed(entry, error),
        // What its lister does not have any more, the next listing does not name.
        vanished: (entry) => this.#state.transaction(() => this.#state.done(entry.key)),
      },
    })
  }

  /** Rejects when no source can be listed, or says what cannot be. */
  async run({ waitMs = 0, wake }: RoundOptions): Promise<Summary> {
    const { clock } = this.#shop.options
    this.#parts.lanes.begin()
    const finder = new Finder({
      shop: this.#shop,
      selection: this.#selection,
      tally: this.#tally,
      fetcher: this.#fetcher,
      signal: this.#signal,
      wake,
    })
    const startMs = clock.monotonicMs()
    const found = await finder.find(waitMs)
    this.#tally.allListed()
    await this.#fetcher.drain()
    if (this.#state.countTodo(STAGES.data, ALL) > 0) await this.#rest(found)
    await finder.sweep()
    const isDone = this.#state.countTodo(STAGES.data, this.#deletes ? ALL : STAGES.gone) === 0
    this.#state.transaction(() => {
      finder.keep(found)
      if (!isDone) return
      for (const [name, value] of Object.entries(this.#selection.remember ?? {})) this.#state.setFact(name, value)
    })
    if (isDone && !this.#isDry) await dropParts(this.#parts)
    return this.#tally.summary(isDone, clock.monotonicMs() - startMs)
  }

  get #deletes(): boolean {
    return this.#shop.options.deletes === true
  }

  get #isDry(): boolean {
    return this.#shop.options.dryRun === true
  }

  #failed(entry: FileEntry, error: unknown): void {
    if (this.#signal.aborted) return
    this.#tally.failedWith(entry, error)
    this.#lacking.add(this.#modelOf(entry.key))
    const stage = isMetadata(entry.key) ? metadataRank(entry.key) : STAGES.data
    this.#state.transaction(() => this.#state.defer(entry, stage))
  }

  #modelOf(key: string): string | undefined {
    return modelOf(key, this.#shop.options.layout ?? 'any')
  }

  /** What comes after the data. */
  async #rest(found: Found): Promise<void> {
    for (const { entry } of this.#state.eachTodo(STAGES.data)) this.#lacking.add(this.#modelOf(entry.key))
    if (!this.#isDry) await this.#groups(found)
    this.#lacking.delete(undefined)
    await this.#metadata(found)
    await this.#deletions(found)
  }

  async #groups({ lister }: Found): Promise<void> {
    const { options, root } = this.#shop
    const groups = new Groups({
      root,
      state: this.#state,
      parts: this.#parts,
      lister,
      selection: this.#selection,
      signal: this.#signal,
      gate: options.gate,
      keep: options.keepGenerations ?? KEEP,
      events: {
        fetched: (entry) => this.#tally.fetched(entry),
        failed: (entry, error) => this.#tally.failedWith(entry, error),
      },
    })
    for (const { entry } of this.#state.eachTodo(STAGES.group)) {
      const model = this.#modelOf(`${entry.key}/`)
      try {
        const outcome = await groups.publish(entry.key)
        if (outcome === 'flipped') this.#tally.flipped.push(entry.key)
        else if (outcome === 'staged') this.#tally.staged.push(entry.key)
        if (outcome === 'failed' || outcome === 'staged') this.#lacking.add(model)
      } catch (error) {
        if (this.#signal.aborted) throw error
        this.#tally.failedWith(entry, error)
        this.#lacking.add(model)
      }
    }
  }

  /** Once all other files of a model are here, those that tell of them. */
  async #metadata({ lister }: Found): Promise<void> {
    for (let stage = 1; stage < STAGES.group && this.#state.countTodo(stage, STAGES.group) > 0; stage++) {
      for (const { entry } of this.#state.eachTodo(stage)) {
        const model = this.#modelOf(entry.key)
        if (model !== undefined && this.#lacking.has(model)) this.#tally.held(entry)
        else if (this.#isDry) this.#tally.fetched(entry)
        else await this.#fetcher.add({ entry, lister })
      }
      await this.#fetcher.drain()
    }
  }

  /** Last of all, and only when all that is wanted came over; but what is in the way of another file has to go first. */
  async #deletions({ lister }: Found): Promise<void> {
    const gone = this.#deletes ? this.#state.countTodo(STAGES.gone, ALL) : 0
    if (gone === 0 || this.#tally.failed > this.#tally.conflicts) return
    const known = this.#state.count()
    const knownGone = this.#state.countKnownTodo(STAGES.gone)
    try {
      guardDeletion({
        deleted: gone,
        present: known + gone - knownGone,
        wanted: known - knownGone + (this.#isDry ? this.#tally.fetchedFiles : 0),
        max: this.#shop.options.deleteMax,
      })
    } catch (error) {
      if (!isError(error)) throw error
      this.#tally.refused = error satisfies FlotillaError
      return
    }
    await this.#remove()
    if (this.#tally.conflicts === 0 || this.#isDry) return
    this.#tally.retry()
    for (const { entry } of this.#state.eachTodo(STAGES.data)) await this.#fetcher.add({ entry, lister })
    await this.#fetcher.drain()
  }

  async #remove(): Promise<void> {
    if (this.#isDry) {
      for (const { entry } of this.#state.eachTodo(STAGES.gone)) this.#tally.deleted(entry)
      return
    }
    const { places, calls } = this.#parts
    await removeGone({
      state: this.#state,
      places,
      calls,
      signal: this.#signal,
      removed: (entry) => this.#tally.deleted(entry),
      failed: (entry, error) => this.#tally.failedWith(entry, error),
    })
  }
}
