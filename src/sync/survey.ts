import { posix } from 'node:path'
import { compareKeys, type FileEntry, folderOf } from '../core/files/entry.ts'
import type { FileChange } from '../core/files/peer.ts'
import { compare, type Comparison } from '../core/sync/compare.ts'
import { badListing, checkSound } from '../core/sync/listed.ts'
import { NewestChunks } from '../core/sync/newest-chunks.ts'
import { isMetadata, metadataRank } from '../core/sync/order.ts'
import type { Selection } from '../core/sync/selection.ts'
import type { FileCalls } from '../lib/file-calls.ts'
import { keyPath } from '../lib/safe-path.ts'
import { KnownFiles } from './known-files.ts'
import type { Lane } from './lanes.ts'
import { placedOf } from './places.ts'
import { type KnownFile, type Placed, STAGES } from './state-rows.ts'
import type { SyncState } from './state.ts'

const PAGE = 1000
/** A group is listed anew when its turn comes. */
const NOTHING = { size: 0, modifiedMs: 0, etag: '' } as const

export interface SurveyEvents {
  listed(files: number): void
  adopted(entry: FileEntry): void
  /** Resolves when there is room for more. */
  fetch(entry: FileEntry): Promise<void>
  touch(entry: FileEntry): Promise<void>
  /** A file that comes after all others; it is noted already. */
  deferred(entry: FileEntry): void
}

export interface SurveyOptions {
  readonly root: string
  readonly state: SyncState
  readonly calls: FileCalls
  readonly lister: Lane
  readonly selection: Selection
  /** Notes what is to be deleted. */
  readonly deletes: boolean
  readonly events: SurveyEvents
  /** The group that a file becomes visible with. */
  readonly groupOf: (key: string) => string | undefined
  /** Whether the content of a file here is what the source says; only asked where the source tells a hash. */
  readonly isRight: ((entry: FileEntry) => Promise<boolean>) | undefined
}

interface Decided {
  readonly entry: FileEntry
  readonly what: Comparison | 'unwanted' | 'ignored'
  readonly placed?: Placed | undefined
}

/** Compares what a source has with what is here, and says what is to be done. Memory does not grow with the number of files. */
export class Survey {
  readonly #options: SurveyOptions
  #missingFolder: string | undefined
  readonly #hadTodo: boolean

  constructor(options: SurveyOptions) {
    this.#options = options
    this.#hadTodo = options.state.countTodo(0, Number.MAX_SAFE_INTEGER) > 0
  }

  /** Everything there is, in any order. */
  async unsorted(pages: AsyncIterable<readonly FileEntry[]>): Promise<void> {
    const { state, selection } = this.#options
    const listed = state.collect()
    const newest = new NewestChunks(selection.newestChunks)
    try {
      for await (const page of pages) {
        for (const entry of page) checkSound(entry)
        const covered = page.filter(({ key }) => selection.covers(key))
        let added = 0
        state.transaction(() => {
          for (const entry of covered) if (listed.add(entry)) added += 1
        })
        for (const { key } of covered) newest.see(key)
        if (added === 0 && covered.length > 0) throw badListing(`it repeats itself at ${covered[0]?.key}`)
        this.#options.events.listed(page.length)
      }
      await this.sorted(pagesOf(listed.page), newest)
    } finally {
      listed.drop()
    }
  }

  /** Everything there is, in ascending order. */
  async sorted(pages: AsyncIterable<readonly FileEntry[]>, newest?: NewestChunks): Promise<void> {
    const known = new KnownFiles(this.#options.state)
    let last = ''
    for await (const page of pages) {
      const decided: Decided[] = []
      const gone: KnownFile[] = []
      for (const entry of page) {
        checkSound(entry)
        if (compareKeys(entry.key, last) <= 0) throw badListing(`${entry.key} comes after ${last}`)
        last = entry.key
        const one = this.#decide(entry, known.upTo(entry.key, gone), newest)
        decided.push(one instanceof Promise ? await one : one)
      }
      if (newest === undefined) this.#options.events.listed(page.length)
      await this.#act(decided, gone)
    }
    for (;;) {
      const gone: KnownFile[] = []
      const more = known.rest(gone)
      await this.#act([], gone)
      if (!more) return
    }
  }

  /** What has changed since the last time. */
  async changes(changes: readonly FileChange[]): Promise<void> {
    const { state, events } = this.#options
    const decided: Decided[] = []
    const gone: KnownFile[] = []
    for (const change of changes) {
      if ('gone' in change) {
        const here = state.known(change.key)
        if (here !== undefined) gone.push(here)
        // It may have been noted, and has not come over yet.
        else state.done(change.key)
        continue
      }
      checkSound(change)
      decided.push(await this.#decide(change, state.known(change.key)))
    }
    events.listed(changes.length)
    await this.#act(decided, gone)
  }

  /** What was found to be damaged here. */
  async spoilt(): Promise<void> {
    const { state } = this.#options
    for (let after = ''; ;) {
      const page = state.spoilt(after, PAGE)
      const decided: Decided[] = []
      // What is to be deleted is not repaired.
      for (const file of page) if (!state.isGone(file.entry.key)) decided.push(await this.#decide(file.entry, file))
      await this.#act(decided, [])
      after = page.at(-1)?.entry.key ?? ''
      if (page.length < PAGE) return
    }
  }

  /** At once, unless something here has to be looked at: mostly nothing has changed. */
  #decide(entry: FileEntry, here: KnownFile | undefined, newest?: NewestChunks): Decided | Promise<Decided> {
    const { selection, lister } = this.#options
    if (!selection.covers(entry.key)) return { entry, what: 'ignored' }
    const verdict = newest?.takes(entry.key) === false ? 'unwanted' : selection.judge(entry)
    if (verdict === 'later') return { entry, what: 'same' }
    if (verdict === 'unwanted') return { entry, what: here === undefined ? 'ignored' : 'unwanted' }
    if (here?.intact !== true) return this.#decideByLook(entry, here)
    return { entry, what: compare(entry, lister.index, here, () => undefined) }
  }

  async #decideByLook(entry: FileEntry, here: KnownFile | undefined): Promise<Decided> {
    const { lister, isRight } = this.#options
    const placed = await this.#local(entry.key)
    const what = compare(entry, lister.index, here, () => placed)
    if (what !== 'adopt' || isRight === undefined || (await isRight(entry))) return { entry, what, placed }
    return { entry, what: 'fetch' }
  }

  /** What lies here under that key. */
  async #local(key: string): Promise<Placed | undefined> {
    const { root, calls } = this.#options
    const path = keyPath(key)
    const folder = folderOf(path)
    if (folder === this.#missingFolder) return undefined
    try {
      const stat = await calls.lstat(posix.join(root, path))
      return stat.isFile() ? placedOf(stat) : undefined
    } catch {
      const isFolder = await isThere(posix.join(root, folder), calls)
      this.#missingFolder = isFolder ? undefined : folder
      return undefined
    }
  }

  async #act(decided: readonly Decided[], gone: readonly KnownFile[]): Promise<void> {
    const { events } = this.#options
    this.#note(decided, gone)
    for (const { entry, what } of decided) {
      if (what === 'adopt') events.adopted(entry)
      else if (this.#options.groupOf(entry.key) !== undefined) continue
      else if (what === 'touch') await events.touch(entry)
      else if (what === 'fetch') {
        if (isMetadata(entry.key)) events.deferred(entry)
        else await events.fetch(entry)
      }
    }
  }

  #note(decided: readonly Decided[], gone: readonly KnownFile[]): void {
    const { state, deletes, lister, selection, groupOf } = this.#options
    const isDeleted = ({ entry }: KnownFile): boolean => deletes && selection.covers(entry.key)
    const worth = decided.filter(({ what }) => what !== 'ignored' && (what !== 'same' || this.#hadTodo))
    if (worth.length === 0 && !gone.some(isDeleted)) return
    state.transaction(() => {
      for (const { entry } of gone.filter(isDeleted)) {
        const group = groupOf(entry.key)
        state.defer(
          group === undefined ? entry : { ...NOTHING, key: group },
          group === undefined ? STAGES.gone : STAGES.group,
        )
      }
      for (const { entry, what, placed } of worth) {
        const group = groupOf(entry.key)
        if (what === 'same') state.done(entry.key)
        else if (what === 'adopt' && placed !== undefined) this.#adopt(entry, lister, placed)
        else if (group !== undefined) state.defer({ ...NOTHING, key: group }, STAGES.group)
        else if (what === 'unwanted' && deletes) state.defer(entry, STAGES.gone)
        else if (what === 'fetch' && isMetadata(entry.key)) state.defer(entry, metadataRank(entry.key))
      }
    })
  }

  #adopt(entry: FileEntry, lister: Lane, placed: Placed): void {
    const { state } = this.#options
    const path = keyPath(entry.key)
    state.put({ entry, origin: lister.index, placed, path: path === entry.key ? undefined : path })
    state.done(entry.key)
    const folder = folderOf(path)
    // It has to be looked into once, with all that lies in it.
    if (state.folder(folder) === undefined) state.setFolder(folder, undefined)
  }
}

async function* pagesOf(
  page: (after: string, limit: number) => readonly FileEntry[],
): AsyncGenerator<readonly FileEntry[], void> {
  for (let after = ''; ;) {
    const entries = page(after, PAGE)
    if (entries.length > 0) yield entries
    if (entries.length < PAGE) return
    after = entries.at(-1)?.key ?? after
    await Promise.resolve()
  }
}

async function isThere(path: string, calls: FileCalls): Promise<boolean> {
  try {
    await calls.lstat(path)
    return true
  } catch {
    return false
  }
}
