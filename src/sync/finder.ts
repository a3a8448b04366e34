import { isError } from '../core/errors.ts'
import type { FileEntry } from '../core/files/entry.ts'
import type { ChangePage } from '../core/files/peer.ts'
import { groupOf } from '../core/sync/order.ts'
import type { Selection } from '../core/sync/selection.ts'
import type { Fetcher } from './fetcher.ts'
import type { Lane } from './lanes.ts'
import { keptParts } from './large.ts'
import { lookAround, type LookOptions, sweepUnsure } from './look.ts'
import { STAGES } from './state-rows.ts'
import type { SyncState } from './state.ts'
import { Survey } from './survey.ts'
import type { Tally } from './tally.ts'
import type { Workshop } from './workshop.ts'

/** The cursor that a source gave, and what was chosen then. */
const CURSOR = 'cursor'
const SELECTION = 'selection'
const ALL = Number.MAX_SAFE_INTEGER

export interface FinderOptions {
  readonly shop: Workshop
  readonly selection: Selection
  readonly tally: Tally
  readonly fetcher: Fetcher
  readonly signal: AbortSignal
  /** Aborted: waiting for a change ends, and what is there is looked at. */
  readonly wake: AbortSignal | undefined
}

export interface Found {
  readonly lister: Lane
  /** Where the next round goes on, where the source can tell. */
  readonly cursor: string | undefined
}

/** Finds what is to be done: sends on what can be fetched at once, and notes the rest. */
export class Finder {
  readonly #options: FinderOptions
  readonly #state: SyncState
  readonly #selection: Selection

  constructor(options: FinderOptions) {
    this.#options = options
    this.#state = options.shop.state
    this.#selection = options.selection
  }

  /** Looks at the first source that lets itself be listed. */
  async find(waitMs: number): Promise<Found> {
    const { shop, signal, fetcher } = this.#options
    let first: unknown
    for (const lister of shop.parts.lanes.listers()) {
      try {
        return { lister, cursor: await this.#list(lister, waitMs) }
      } catch (error) {
        if (signal.aborted || !isOfSource(error)) throw error
        first ??= error
        if (shop.options.sources.length > 1) {
          shop.options.log.warn('a source cannot be listed', { source: lister.source.name, error })
        }
        await fetcher.drain()
      }
    }
    throw first
  }

  /** What was found is done, or noted. */
  keep({ lister, cursor }: Found): void {
    this.#state.setFact(SELECTION, this.#chosen)
    // Where something of it was forgotten, everything is compared the next time.
    const next = this.#state.takeLoss() ? undefined : cursor
    this.#state.setFact(CURSOR, next === undefined ? undefined : JSON.stringify([lister.source.name, next]))
  }

  async #list(lister: Lane, waitMs: number): Promise<string | undefined> {
    const { signal } = this.#options
    const { peer } = lister.source
    const survey = this.#survey(lister)
    const scope = { ...this.#selection.scope, signal }
    const isPlain = this.#selection.newestChunks === undefined
    if (peer === undefined) {
      await this.#beginAnew()
      const pages = lister.source.list(scope)
      await (lister.source.sorted && isPlain ? survey.sorted(pages) : survey.unsorted(pages))
      return undefined
    }
    const since = this.#cursorOf(lister)
    if (since !== undefined) await this.#unfinished(lister)
    let cursor: string | undefined
    const pages = await this.#changesOf(lister, since, waitMs, (found) => (cursor = found))
    const first = await pages.next()
    const { reset, changes } = first.done === true ? { reset: false, changes: [] } : first.value
    // Which chunks are the newest shows only in all of them.
    if (!reset && (isPlain || changes.length === 0)) await this.#apply(survey, changes, pages)
    else {
      await this.#beginAnew()
      if (reset && isPlain) await survey.sorted(entriesOf(changes, pages))
      else await survey.unsorted(lister.source.list(scope))
    }
    return cursor
  }

  /** The pages; the first is there already. Waiting for it ends when somebody wakes us. */
  async #changesOf(
    { source: { peer } }: Lane,
    since: string | undefined,
    waitMs: number,
    note: (cursor: string) => void,
  ): Promise<AsyncGenerator<ChangePage, void>> {
    const { signal, wake } = this.#options
    const { prefixes } = this.#selection.scope
    const cut = new AbortController()
    const stop = (): void => cut.abort(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    const isWoken = wake?.aborted === true
    wake?.addEventListener('abort', stop, { once: true })
    const ask = (ms: number, op: AbortSignal): AsyncIterable<ChangePage> =>
      peer?.changes({ since, prefixes, waitMs: ms, signal: op }) ?? nothing()
    try {
      const pages = noting(ask(isWoken ? 0 : waitMs, cut.signal), note)
      return following(await pages.next(), pages)
    } catch (error) {
      if (wake?.aborted !== true || signal.aborted) throw error
      return noting(ask(0, signal), note)
    } finally {
      // Later pages are not cut short by who only wants to end the waiting.
      wake?.removeEventListener('abort', stop)
    }
  }

  /** Everything is compared: what was left of earlier rounds is found again. */
  async #beginAnew(): Promise<void> {
    const isChosenAnew = this.#state.fact(SELECTION) !== this.#chosen
    this.#state.transaction(() => {
      // What was to be deleted by another choice may be just what is not to be touched now.
      this.#state.clearTodo(isChosenAnew ? ALL : STAGES.gone)
      this.#state.setFact(CURSOR, undefined)
      if (!isChosenAnew) return
      this.#state.doubtFolders()
      // At once: a process that is killed before the end must not leave its notes under the name of the choice before.
      this.#state.setFact(SELECTION, this.#chosen)
    })
    await this.#look()
  }

  async #apply(survey: Survey, first: ChangePage['changes'], rest: AsyncIterable<ChangePage>): Promise<void> {
    await this.#look()
    if (this.#state.spoilt('', 1).length > 0) {
      await survey.spoilt()
      await this.#options.fetcher.drain()
    }
    if (first.length > 0) await survey.changes(first)
    for await (const { changes } of rest) if (changes.length > 0) await survey.changes(changes)
  }

  /** What earlier rounds could not bring over. */
  async #unfinished(lister: Lane): Promise<void> {
    if (this.#state.countTodo(STAGES.data, STAGES.data + 1) === 0) return
    for (const { entry } of this.#state.eachTodo(STAGES.data)) await this.#fetch(lister, entry)
    await this.#options.fetcher.drain()
  }

  /** Nothing is under way any more: temporary files in folders that nobody knew of before are left over. */
  async sweep(): Promise<void> {
    await sweepUnsure(this.#lookOptions)
  }

  async #look(): Promise<void> {
    await lookAround(this.#lookOptions)
  }

  get #lookOptions(): LookOptions {
    const { options, root, parts, isRight } = this.#options.shop
    const stranger = (key: string): void => {
      if (this.#selection.covers(key)) this.#state.defer({ key, size: 0, modifiedMs: 0, etag: '' }, STAGES.gone)
    }
    return {
      root,
      state: this.#state,
      calls: parts.calls,
      signal: this.#options.signal,
      clock: parts.clock,
      mark: parts.places.mark,
      everything: options.verify === true,
      onStranger: options.deletes === true ? stranger : undefined,
      keeps: options.dryRun === true ? () => true : keptParts(parts),
      isRight: isRight === undefined ? undefined : async ({ entry }) => isRight(entry),
    }
  }

  #survey(lister: Lane): Survey {
    const { shop, tally, fetcher } = this.#options
    const { root, parts, isRight, options } = shop
    const groups = options.dryRun === true ? [] : (options.groups ?? [])
    return new Survey({
      root,
      state: this.#state,
      calls: parts.calls,
      lister,
      selection: this.#selection,
      deletes: options.deletes === true,
      isRight,
      groupOf: (key) => groupOf(key, groups),
      events: {
        listed: (files) => tally.listed(files),
        adopted: (entry) => tally.adopted(entry),
        fetch: async (entry) => this.#fetch(lister, entry),
        touch: async (entry) => this.#touch(lister, entry, fetcher),
        deferred: (entry) => tally.wanted(entry),
      },
    })
  }

  async #fetch(lister: Lane, entry: FileEntry): Promise<void> {
    const { shop, tally, fetcher, signal } = this.#options
    signal.throwIfAborted()
    tally.wanted(entry)
    if (shop.options.dryRun === true) tally.fetched(entry)
    else await fetcher.add({ entry, lister })
  }

  async #touch(lister: Lane, entry: FileEntry, fetcher: Fetcher): Promise<void> {
    const { shop, tally } = this.#options
    try {
      if (shop.options.dryRun !== true) await shop.parts.places.touch(entry, lister.index)
      tally.touched(entry)
    } catch {
      // It is another one, or gone: then it is fetched.
      await fetcher.add({ entry, lister })
    }
  }

  get #chosen(): string {
    const { deletes = false, groups = [] } = this.#options.shop.options
    return JSON.stringify([this.#selection.fingerprint, deletes, groups.map(({ text }) => text)])
  }

  /** Where to go on at this source, if what was chosen since then is what is chosen now. */
  #cursorOf({ source }: Lane): string | undefined {
    const [name, cursor] = JSON.parse(this.#state.fact(CURSOR) ?? '[]') as (string | undefined)[]
    const isSame = this.#state.fact(SELECTION) === this.#chosen && name === source.name
    return isSame && this.#options.shop.options.verify !== true ? cursor : undefined
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

async function* noting(
  pages: AsyncIterable<ChangePage>,
  note: (cursor: string) => void,
): AsyncGenerator<ChangePage, void> {
  for await (const page of pages) {
    if (page.cursor !== undefined) note(page.cursor)
    yield page
  }
}

async function* following(
  first: IteratorResult<ChangePage, void>,
  rest: AsyncGenerator<ChangePage, void>,
): AsyncGenerator<ChangePage, void> {
  if (first.done === true) return
  yield first.value
  yield* rest
}

async function* entriesOf(
  first: ChangePage['changes'],
  rest: AsyncIterable<ChangePage>,
): AsyncGenerator<readonly FileEntry[], void> {
  yield first as readonly FileEntry[]
  for await (const { changes } of rest) yield changes as readonly FileEntry[]
}

async function* nothing(): AsyncGenerator<ChangePage, void> {
  // Only asked of sources that tell changes.
}
