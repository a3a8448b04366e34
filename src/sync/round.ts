import { type FlotillaError, isError } from '../core/errors.ts'
import type { FileEntry } from '../core/files/entry.ts'
import type { ChangePage } from '../core/files/peer.ts'
import { guardDeletion } from '../core/sync/guard.ts'
import { modelOf } from '../core/sync/order.ts'
import type { Selection } from '../core/sync/selection.ts'
import type { Summary } from '../core/sync/summary.ts'
import { Fetcher } from './fetcher.ts'
import type { Lane } from './lanes.ts'
import { dropParts, fetchLarge, keptParts, type LargeParts } from './large.ts'
import { lookAround } from './look.ts'
import type { PullOptions, RoundOptions } from './options.ts'
import { removeGone } from './remove.ts'
import { STAGES, type SyncState } from './state.ts'
import { Survey } from './survey.ts'
import { Tally } from './tally.ts'

const PAGE = 500
/** The cursor that a source gave, and of which selection. */
const CURSOR = 'cursor'
const SELECTION = 'selection'
const ALL = Number.MAX_SAFE_INTEGER

/** What stays between rounds. */
export interface Workshop {
  readonly options: PullOptions
  readonly state: SyncState
  readonly root: string
  readonly parts: Omit<LargeParts, 'travelled'>
  /** Whether the content of a file here is what the source says. */
  readonly isRight: ((entry: FileEntry) => Promise<boolean>) | undefined
}

/** One look at the source, and everything that follows from it. */
export class Round {
  readonly #shop: Workshop
  readonly #state: SyncState
  readonly #signal: AbortSignal
  readonly #tally: Tally
  readonly #selection: Selection
  #lister: Lane | undefined

  constructor(shop: Workshop, selection: Selection, signal: AbortSignal) {
    this.#shop = shop
    this.#state = shop.state
    this.#selection = selection
    this.#signal = signal
    this.#tally = new Tally({ onProgress: shop.options.onProgress, onFile: shop.options.onFile })
  }

  /** Rejects when no source can be listed, or says what cannot be. */
  async run({ waitMs = 0 }: RoundOptions): Promise<Summary> {
    const { clock } = this.#shop.options
    const startMs = clock.monotonicMs()
    this.#shop.parts.lanes.begin()
    const fetcher = this.#fetcher()
    const cursor = await this.#listAny(fetcher, waitMs)
    this.#tally.allListed()
    await fetcher.drain()
    if (this.#state.countTodo(1, STAGES.gone) > 0) await this.#metadata(fetcher)
    await this.#deletions(fetcher)
    const isDone = this.#state.countTodo(0, this.#deletes ? ALL : STAGES.gone) === 0
    this.#finish(cursor, isDone)
    if (isDone && !this.#isDry) await dropParts(this.#shop.parts)
    return this.#tally.summary(isDone, clock.monotonicMs() - startMs)
  }

  get #deletes(): boolean {
    return this.#shop.options.deletes === true
  }

  get #isDry(): boolean {
    return this.#shop.options.dryRun === true
  }

  #fetcher(): Fetcher {
    const tally = this.#tally
    const parts: LargeParts = { ...this.#shop.parts, travelled: (bytes) => tally.travelled(bytes) }
    return new Fetcher({
      ...parts,
      signal: this.#signal,
      large: async (job) => fetchLarge(job, parts, this.#signal),
      events: {
        fetched: (entry) => tally.fetched(entry),
        failed: (entry, error) => {
          if (this.#signal.aborted) return
          tally.failedWith(entry, error)
          this.#state.transaction(() => this.#state.defer(entry, STAGES.data))
        },
        // What its lister does not have any more, the next listing does not name.
        vanished: (entry) => this.#state.transaction(() => this.#state.done(entry.key)),
      },
    })
  }

  /** Lists the first source that lets itself be listed. Answers its cursor, where it has one. */
  async #listAny(fetcher: Fetcher, waitMs: number): Promise<string | undefined> {
    let first: unknown
    for (const lane of this.#shop.parts.lanes.listers()) {
      this.#lister = lane
      try {
        return await this.#list(lane, fetcher, waitMs)
      } catch (error) {
        if (this.#signal.aborted || !isOfSource(error)) throw error
        first ??= error
        this.#shop.options.log.warn('a source cannot be listed', { source: lane.source.name, error })
        await fetcher.drain()
      }
    }
    throw first
  }

  async #list(lane: Lane, fetcher: Fetcher, waitMs: number): Promise<string | undefined> {
    const { peer } = lane.source
    const survey = this.#survey(lane, fetcher)
    const scope = { ...this.#selection.scope, signal: this.#signal }
    if (peer === undefined) {
      await this.#beginAnew()
      const pages = lane.source.list(scope)
      const isWhole = this.#selection.newestChunks === undefined
      await (lane.source.sorted && isWhole ? survey.sorted(pages) : survey.unsorted(pages))
      return undefined
    }
    const since = this.#cursorOf(lane)
    if (since !== undefined) await this.#unfinished(lane, fetcher)
    let cursor: string | undefined
    const pages = peer.changes({ since, prefixes: scope.prefixes, waitMs, signal: this.#signal })
    const noted = notingCursor(pages, (found) => (cursor = found))
    const first = await noted.next()
    if (first.done === true) return cursor
    if (!first.value.reset && this.#selection.newestChunks === undefined) {
      await this.#changes(survey, fetcher, first.value, noted)
      return cursor
    }
    if (!first.value.reset && first.value.changes.length === 0 && cursor !== undefined) return cursor
    await this.#beginAnew()
    if (first.value.reset && this.#selection.newestChunks === undefined)
      await survey.sorted(entriesOf(first.value, noted))
    else await survey.unsorted(lane.source.list(scope))
    return cursor
  }

  /** Everything is compared: what was left of earlier rounds is found again. */
  async #beginAnew(): Promise<void> {
    const known = `${this.#selection.fingerprint}${String(this.#deletes)}`
    this.#state.transaction(() => {
      this.#state.clearTodo(STAGES.gone)
      this.#state.setFact(CURSOR, undefined)
      if (this.#state.fact(SELECTION) !== known) this.#state.doubtFolders()
    })
    await this.#look()
  }

  async #changes(survey: Survey, fetcher: Fetcher, first: ChangePage, rest: AsyncIterable<ChangePage>): Promise<void> {
    await this.#look()
    if (this.#state.spoilt('', 1).length > 0) {
      await survey.spoilt()
      await fetcher.drain()
    }
    await survey.changes(first.changes)
    for await (const { changes } of rest) await survey.changes(changes)
  }

  /** What earlier rounds could not bring over. */
  async #unfinished(lane: Lane, fetcher: Fetcher): Promise<void> {
    if (this.#state.countTodo(STAGES.data, 1) === 0) return
    await this.#eachTodo(STAGES.data, async (entry) => this.#fetch(lane, fetcher, entry))
    await fetcher.drain()
  }

  async #look(): Promise<void> {
    const { options, root, parts, isRight } = this.#shop
    const keeps = this.#isDry ? () => true : keptParts(parts.stateFolder)
    const stranger = (key: string): void => {
      if (!this.#selection.covers(key)) return
      this.#state.defer({ key, size: 0, modifiedMs: 0, etag: '' }, STAGES.gone)
    }
    await lookAround({
      root,
      state: this.#state,
      calls: parts.calls,
      signal: this.#signal,
      everything: options.verify === true,
      onStranger: this.#deletes ? stranger : undefined,
      keeps,
      isRight: isRight === undefined ? undefined : async ({ entry }) => isRight(entry),
    })
  }

  #survey(lane: Lane, fetcher: Fetcher): Survey {
    const { root, parts, isRight } = this.#shop
    return new Survey({
      root,
      state: this.#state,
      calls: parts.calls,
      lister: lane,
      selection: this.#selection,
      deletes: this.#deletes,
      isRight,
      events: {
        listed: (files) => this.#tally.listed(files),
        adopted: (entry) => this.#tally.adopted(entry),
        fetch: async (entry) => this.#fetch(lane, fetcher, entry),
        touch: async (entry) => this.#touch(lane, entry),
        deferred: (entry) => this.#tally.wanted(entry),
      },
    })
  }

  async #fetch(lister: Lane, fetcher: Fetcher, entry: FileEntry): Promise<void> {
    this.#signal.throwIfAborted()
    this.#tally.wanted(entry)
    if (this.#isDry) this.#tally.fetched(entry)
    else await fetcher.add({ entry, lister })
  }

  async #touch(lister: Lane, entry: FileEntry): Promise<void> {
    try {
      if (!this.#isDry) await this.#shop.parts.places.touch(entry, lister.index)
      this.#tally.touched(entry)
    } catch (error) {
      this.#tally.failedWith(entry, error)
    }
  }

  /** Once all other files of a model are here, those that tell of them. */
  async #metadata(fetcher: Fetcher): Promise<void> {
    const lister = this.#lister
    if (lister === undefined) return
    const layout = this.#shop.options.layout ?? 'any'
    const lacking = new Set<string | undefined>()
    await this.#eachTodo(STAGES.data, (entry) => void lacking.add(modelOf(entry.key, layout)))
    for (let stage = 1; stage < STAGES.gone && this.#state.countTodo(stage, STAGES.gone) > 0; stage++) {
      await this.#eachTodo(stage, async (entry) => {
        const model = modelOf(entry.key, layout)
        if (model !== undefined && lacking.has(model)) this.#tally.held(entry)
        else if (this.#isDry) this.#tally.fetched(entry)
        else await fetcher.add({ entry, lister })
      })
      await fetcher.drain()
      await this.#eachTodo(STAGES.data, (entry) => void lacking.add(modelOf(entry.key, layout)))
    }
  }

  async #eachTodo(stage: number, each: (entry: FileEntry) => Promise<void> | void): Promise<void> {
    for (let after = { stage: -1, key: '' }; ;) {
      const page = this.#state.todo(stage, stage + 1, after, PAGE)
      for (const { entry } of page) await each(entry)
      const last = page.at(-1)
      if (last === undefined || page.length < PAGE) return
      after = { stage, key: last.entry.key }
    }
  }

  /** Last of all, and only when all that is wanted came over; but what is in the way of another file has to go first. */
  async #deletions(fetcher: Fetcher): Promise<void> {
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
      this.#tally.refused = error as FlotillaError
      return
    }
    await this.#remove()
    const lister = this.#lister
    if (this.#tally.conflicts === 0 || lister === undefined || this.#isDry) return
    this.#tally.retry()
    await this.#unfinished(lister, fetcher)
  }

  async #remove(): Promise<void> {
    if (this.#isDry) {
      await this.#eachTodo(STAGES.gone, (entry) => this.#tally.deleted(entry))
      return
    }
    const { places, calls } = this.#shop.parts
    await removeGone({
      state: this.#state,
      places,
      calls,
      signal: this.#signal,
      removed: (entry) => this.#tally.deleted(entry),
      failed: (entry, error) => this.#tally.failedWith(entry, error),
    })
  }

  #finish(cursor: string | undefined, isDone: boolean): void {
    const known = `${this.#selection.fingerprint}${String(this.#deletes)}`
    this.#state.transaction(() => {
      this.#state.setFact(SELECTION, known)
      const { source } = this.#lister ?? {}
      this.#state.setFact(CURSOR, cursor === undefined ? undefined : JSON.stringify([source?.name, cursor]))
      if (!isDone) return
      for (const [name, value] of Object.entries(this.#selection.remember ?? {})) this.#state.setFact(name, value)
    })
  }

  /** Where to go on at this source, if what was chosen since then is what is chosen now. */
  #cursorOf({ source }: Lane): string | undefined {
    const [name, cursor] = JSON.parse(this.#state.fact(CURSOR) ?? '[]') as (string | undefined)[]
    const isSame = this.#state.fact(SELECTION) === `${this.#selection.fingerprint}${String(this.#deletes)}`
    return isSame && name === source.name && this.#shop.options.verify !== true ? cursor : undefined
  }
}

/** Faults of one source, which another one may not have. */
function isOfSource(error: unknown): boolean {
  return isError(
    error,
    ...(['UNREACHABLE', 'NOT_READY', 'RATE_LIMITED', 'UNAUTHENTICATED', 'FORBIDDEN'] as const),
    ...(['NOT_FOUND', 'BAD_LISTING', 'BAD_REQUEST'] as const),
  )
}

async function* notingCursor(
  pages: AsyncIterable<ChangePage>,
  note: (cursor: string) => void,
): AsyncGenerator<ChangePage, void> {
  for await (const page of pages) {
    if (page.cursor !== undefined) note(page.cursor)
    yield page
  }
}

async function* entriesOf(
  first: ChangePage,
  rest: AsyncIterable<ChangePage>,
): AsyncGenerator<readonly FileEntry[], void> {
  yield first.changes as readonly FileEntry[]
  for await (const { changes } of rest) yield changes as readonly FileEntry[]
}
