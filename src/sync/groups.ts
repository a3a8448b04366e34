import { posix } from 'node:path'
import { FlotillaError } from '../core/errors.ts'
import { type FileEntry, folderOf } from '../core/files/entry.ts'
import { micros } from '../core/files/etag.ts'
import type { FlipGate } from '../core/files/flip.ts'
import { impossible } from '../core/files/impossible.ts'
import { compare } from '../core/sync/compare.ts'
import { RETRIES } from '../core/sync/retry.ts'
import type { Selection } from '../core/sync/selection.ts'
import { type Group, openGroup } from '../files/generations/group.ts'
import type { Generation } from '../files/generations/layout.ts'
import type { Staging } from '../files/generations/staging.ts'
import { sha256 } from '../lib/hash.ts'
import { keyPath } from '../lib/safe-path.ts'
import { type FetchEvents, Fetcher } from './fetcher.ts'
import type { Lane } from './lanes.ts'
import { fetchLarge, type LargeParts } from './large.ts'
import { Placer } from './placer.ts'
import { placedOf, Places } from './places.ts'
import { type Placed, STAGES } from './state-rows.ts'
import type { SyncState } from './state.ts'

/** Files of one group at most: a group is looked at as a whole. */
const FILES_MAX = 100_000

export interface GroupsOptions {
  readonly root: string
  readonly state: SyncState
  readonly parts: LargeParts
  readonly lister: Lane
  readonly selection: Selection
  readonly signal: AbortSignal
  readonly gate: FlipGate | undefined
  /** Of older generations so many are kept, and those that were visible within that time. */
  readonly keep: { readonly keep: number; readonly minAgeMs: number }
  readonly events: Pick<FetchEvents, 'fetched' | 'failed'>
}

/** Publishes groups of files: each comes over beside what is visible, and becomes visible in one moment. */
export class Groups {
  readonly #options: GroupsOptions

  constructor(options: GroupsOptions) {
    this.#options = options
  }

  /**
   * Brings a group in step. `staged`: it is whole and waits for other nodes; `failed`: some of its files could not be brought over.
   * Rejects as listing does, and as the file system does.
   */
  async publish(key: string): Promise<'flipped' | 'staged' | 'failed' | 'emptied'> {
    const { root, parts } = this.#options
    const group = await openGroup({ root, group: key, clock: parts.clock })
    for (let attempt = 0; attempt <= RETRIES.changes; attempt++) {
      const entries = await this.#list(key)
      if (entries.length === 0) return this.#emptied(key)
      const id = manifestId(key, entries)
      const generation = (await this.#whole(group, key, id, entries)) ?? (await this.#stage(group, key, id, entries))
      if (generation === 'changed') continue
      if (generation === undefined) return 'failed'
      const isShown = (await group.current())?.folder === generation.folder
      if (!isShown && (this.#options.gate?.offer(key, id) ?? 'flip') !== 'flip') return 'staged'
      await group.flip(generation)
      await this.#settle(key, entries, generation)
      this.#options.gate?.flipped(key, id)
      await group.sweep(this.#options.keep)
      return 'flipped'
    }
    throw new FlotillaError('CHANGED', `${key} changed while it was brought over, again and again`)
  }

  /** What the source has of the group, and is wanted. */
  async #list(key: string): Promise<readonly FileEntry[]> {
    const { lister, selection, signal, parts } = this.#options
    const folder = `${key}/`
    const enters = (path: string): boolean => path.startsWith(folder) || folder.startsWith(path)
    return parts.lanes.run({ allows: ({ index }) => index === lister.index, signal }, async ({ source }) => {
      const found = new Map<string, FileEntry>()
      for await (const page of source.list({ prefixes: [folder], enters, signal })) {
        for (const entry of page) {
          if (impossible(entry) !== undefined || !entry.key.startsWith(folder)) continue
          if (selection.covers(entry.key) && selection.judge(entry) === 'wanted') found.set(entry.key, entry)
        }
        if (found.size > FILES_MAX) throw new FlotillaError('TOO_LARGE', `${key} has more than ${FILES_MAX} files`)
      }
      return [...found.values()]
    })
  }

  /** The generation that holds just these files, if there is one and nothing in it was damaged. */
  async #whole(group: Group, key: string, id: string, entries: readonly FileEntry[]): Promise<Generation | undefined> {
    const { state } = this.#options
    const current = await group.current()
    for (const generation of (await group.list()).filter((one) => one.id === id)) {
      const isShown = generation.folder === current?.folder
      const isSpoilt = isShown && entries.some((entry) => state.known(entry.key)?.intact === false)
      const found = isSpoilt ? undefined : await this.#placedIn(generation.folder, key, entries)
      if (found !== undefined && entries.every((entry) => isSame(entry, found.get(entry.key)))) return generation
      if (!isShown) await group.remove(generation)
    }
    return undefined
  }

  /** Undefined where not all came over. */
  async #stage(
    group: Group,
    key: string,
    id: string,
    entries: readonly FileEntry[],
  ): Promise<Generation | 'changed' | undefined> {
    const staging = await group.stage()
    const outcome = await this.#fill(staging, key, entries)
    if (outcome !== 'whole') return outcome === 'changed' ? 'changed' : undefined
    // What came over one after the other has to be of one moment.
    if (manifestId(key, await this.#list(key)) !== id) return 'changed'
    const wanted = new Set(entries.map((entry) => relativeTo(key, entry.key)))
    return group.seal(id, (path) => wanted.has(path))
  }

  async #fill(staging: Staging, key: string, entries: readonly FileEntry[]): Promise<'whole' | 'changed' | 'failed'> {
    const { lister, events, parts, signal } = this.#options
    let outcome: 'whole' | 'changed' | 'failed' = 'whole'
    const places = this.#placesIn(staging, key)
    const stagedParts: LargeParts = { ...parts, places, placer: new Placer(places, parts.clock) }
    const fetcher = new Fetcher({
      ...stagedParts,
      signal,
      large: async (job) => fetchLarge(job, stagedParts, signal),
      events: {
        fetched: events.fetched,
        failed: (entry, error) => {
          outcome = 'failed'
          events.failed(entry, error)
        },
        vanished: () => {
          if (outcome === 'whole') outcome = 'changed'
        },
      },
    })
    const before = staging.isResumed ? await this.#placedIn(staging.folder, key, entries) : new Map<string, Placed>()
    for (const entry of entries) {
      const isThere = isSame(entry, before.get(entry.key)) || (await this.#take(staging, key, entry))
      if (!isThere) await fetcher.add({ entry, lister })
    }
    await fetcher.drain()
    return outcome
  }

  #placesIn(staging: Staging, key: string): Places {
    const { root, parts } = this.#options
    return new Places({
      root,
      calls: parts.calls,
      mark: parts.places.mark,
      ledger: {
        pathOf: (file) => posix.join(staging.folder, relativeTo(key, file)),
        transaction: (write) => write(),
        placed: () => undefined,
        folder: () => undefined,
        setFolder: () => undefined,
      },
    })
  }

  /** As another name of the file that is visible now, where that is the same. */
  async #take(staging: Staging, key: string, entry: FileEntry): Promise<boolean> {
    const { state, lister } = this.#options
    const known = state.known(entry.key)
    const path = relativeTo(key, entry.key)
    if (known === undefined) return staging.take(path, entry)
    const isStill = known.placed !== undefined && compare(entry, lister.index, known, () => undefined) === 'same'
    return isStill && staging.take(path, known.placed)
  }

  /** Remembers what is visible by now. */
  async #settle(key: string, entries: readonly FileEntry[], generation: Generation): Promise<void> {
    const { state, lister } = this.#options
    const placed = await this.#placedIn(generation.folder, key, entries)
    const folders = new Set(entries.map((entry) => folderOf(posix.join(generation.folder, relativeTo(key, entry.key)))))
    state.transaction(() => {
      state.forgetBelow(key)
      for (const entry of entries) {
        const path = posix.join(generation.folder, relativeTo(key, entry.key))
        state.put({ entry, origin: lister.index, placed: placed.get(entry.key), path })
      }
      for (const folder of folders) state.setFolder(folder, undefined)
      state.setFolder(folderOf(keyPath(key)), undefined)
      state.setGroup(key, folderOf(keyPath(key)), generation.folder)
      state.done(key)
    })
  }

  /** The source has nothing of it any more. */
  #emptied(key: string): 'emptied' {
    const { state } = this.#options
    state.transaction(() => {
      for (const file of state.below(key)) state.defer(file.entry, STAGES.gone)
      state.setGroup(key, '', undefined)
      state.done(key)
    })
    return 'emptied'
  }

  async #placedIn(folder: string, key: string, entries: readonly FileEntry[]): Promise<ReadonlyMap<string, Placed>> {
    const { root, parts } = this.#options
    const found = new Map<string, Placed>()
    for (const entry of entries) {
      try {
        const stat = await parts.calls.lstat(posix.join(root, folder, relativeTo(key, entry.key)))
        if (stat.isFile()) found.set(entry.key, placedOf(stat))
      } catch {
        // It is not there.
      }
    }
    return found
  }
}

/** The same on every node that has the same files, with their times. */
function manifestId(key: string, entries: readonly FileEntry[]): string {
  const lines = entries.map((entry) =>
    JSON.stringify([relativeTo(key, entry.key), entry.size, Math.round(entry.modifiedMs * 1000)]),
  )
  return sha256(lines.toSorted().join('\n'))
}

function isSame({ size, modifiedMs }: FileEntry, placed: Placed | undefined): boolean {
  return placed?.size === size && micros(placed.modifiedMs) === micros(modifiedMs)
}

/** Where a file lies in its group. Throws `BAD_REQUEST` where its name does not let it lie there. */
function relativeTo(group: string, key: string): string {
  const place = `${keyPath(group)}/`
  const path = keyPath(key)
  if (path.startsWith(place)) return path.slice(place.length)
  throw new FlotillaError('BAD_REQUEST', `${JSON.stringify(key.slice(0, 200))} cannot lie in a group`)
}
