import type { Clock } from '../core/clock.ts'
import { FlotillaError, messageOf } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Logger } from '../core/log.ts'
import type { Service } from '../core/service.ts'
import type { Batch, Change, Entry, Store } from '../core/store.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import { KeyViews } from './key-views.ts'
import { type Wait, Waiters } from './waiters.ts'

export interface BoardDeps {
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
}

/** Held in memory as a whole: what is in them lives under leases, of which a store has a limited number. */
const MIRRORED = [keys.claimsOfAll('elect'), keys.claimsOfAll('lock'), keys.barriers] as const
const RETRY_MS = 500

/**
 * One watch of the store for everybody who waits for anything at this hub. Holds the lines of claims and the barriers,
 * and of profiles and nodes the values that somebody waits for. What it holds may be behind the store, never ahead.
 */
export class Board implements Service {
  readonly name = 'board'
  readonly #deps: BoardDeps
  readonly #waiters: Waiters
  readonly #views: KeyViews
  /** By topic, by key. */
  #entries = new Map<string, Map<string, Entry>>()
  /** By mirrored prefix: the revision of the listing that it started from. */
  #floors: ReadonlyMap<string, number> = new Map()
  #revision = -1
  readonly #counts = new Map<string, number>()

  constructor(deps: BoardDeps) {
    this.#deps = deps
    this.#waiters = new Waiters(deps.clock)
    this.#views = new KeyViews(deps.store)
  }

  get waiting(): number {
    return this.#waiters.count
  }

  /** Follows the store until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#follow(signal)
      } catch (error) {
        if (!signal.aborted) this.#deps.log.warn('shared state cannot be followed', { error: messageOf(error) })
      }
      this.#revision = -1
      await sleepQuietly(this.#deps.clock, RETRY_MS, signal)
    }
  }

  /** What lies under a topic such as `elect/NAME`, by key. */
  entries(topic: string): ReadonlyMap<string, Entry> {
    return this.#entries.get(topic) ?? NOTHING
  }

  /** Every mirrored entry of a family, such as `elect/`. */
  *all(prefix: string): Iterable<Entry> {
    for (const [topic, entries] of this.#entries) if (topic.startsWith(prefix)) yield* entries.values()
  }

  /** How many mirrored entries the token has put. */
  countOf(tokenId: string): number {
    return this.#counts.get(tokenId) ?? 0
  }

  /** Whether everything up to that revision was seen; waits a moment for it. */
  async reached(revision: number, topic: string, wait: Wait): Promise<boolean> {
    const look = (): true | undefined => this.#revision >= revision || undefined
    return (await this.#waiters.until(topic, look, wait)) ?? false
  }

  /** Looks now and whenever something changes under the topic, until there is something to answer; undefined when the time is over. */
  until<T>(topic: string, look: () => T | undefined, wait: Wait): Promise<T | undefined> {
    return this.#waiters.until(topic, look, wait)
  }

  /** As `until`, for the value of one key that is not mirrored. */
  async untilKey<T>(
    key: string,
    look: (entry: Entry | undefined) => T | undefined,
    wait: Wait,
  ): Promise<T | undefined> {
    const view = this.#views.open(key)
    try {
      await view.loaded
      return await this.#waiters.until(topicOf(key), () => look(view.entry), wait)
    } finally {
      this.#views.close(view)
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { store } = this.#deps
    const entries = new Map<string, Map<string, Entry>>()
    const floors = new Map<string, number>()
    for (const prefix of MIRRORED) {
      const listing = await store.list(prefix, { signal })
      floors.set(prefix, listing.revision)
      for (const entry of listing.entries) under(entries, entry.key).set(entry.key, entry)
    }
    this.#floors = floors
    this.#entries = entries
    this.#recount()
    this.#revision = Math.min(...floors.values())
    await this.#views.reload()
    this.#waiters.lookAll()
    const also = [...MIRRORED.slice(1), keys.profiles, keys.nodes]
    for await (const batch of store.watch(MIRRORED[0], { after: this.#revision, also, signal })) this.#apply(batch)
    if (!signal.aborted) throw new FlotillaError('UNREACHABLE', 'the watch of the store has ended')
  }

  #apply({ revision, changes }: Batch): void {
    const topics = new Set<string>()
    for (const change of changes) {
      const key = change.op === 'put' ? change.entry.key : change.key
      this.#views.apply(key, change, revision)
      const prefix = MIRRORED.find((each) => key.startsWith(each))
      if (prefix !== undefined && revision > (this.#floors.get(prefix) ?? 0)) this.#mirror(key, change)
      topics.add(topicOf(key))
    }
    this.#revision = revision
    for (const topic of topics) this.#waiters.look(topic)
  }

  #mirror(key: string, change: Change): void {
    const entries = under(this.#entries, key)
    this.#count(entries.get(key), -1)
    if (change.op === 'put') entries.set(key, change.entry)
    else entries.delete(key)
    this.#count(entries.get(key), 1)
    if (entries.size === 0) this.#entries.delete(topicOf(key))
  }

  #recount(): void {
    this.#counts.clear()
    for (const entries of this.#entries.values()) for (const entry of entries.values()) this.#count(entry, 1)
  }

  #count(entry: Entry | undefined, by: 1 | -1): void {
    if (entry === undefined) return
    const { by: tokenId } = JSON.parse(entry.value) as { readonly by?: string }
    if (tokenId === undefined) return
    const count = this.countOf(tokenId) + by
    if (count > 0) this.#counts.set(tokenId, count)
    else this.#counts.delete(tokenId)
  }
}

const NOTHING: ReadonlyMap<string, Entry> = new Map()

/** Half of the leases that a store has: no token can take all. */
const OF_TOKEN_MAX = 5000

/** Throws `TOO_LARGE` where the token has put as much as one may. */
export function checkRoom(board: Board, tokenId: string): void {
  if (board.countOf(tokenId) < OF_TOKEN_MAX) return
  throw new FlotillaError('TOO_LARGE', `this token contends or waits in ${OF_TOKEN_MAX} places already`, {
    hint: 'Release some, or let their leases end.',
  })
}

/** What somebody waits for as one: `elect/NAME`, `lock/NAME`, `barrier/NAME`, `profile/NAME`, and of a node each key. */
function topicOf(key: string): string {
  const [family = '', name = ''] = key.split('/', 2)
  return family === 'node' ? key : `${family}/${name}`
}

function under(entries: Map<string, Map<string, Entry>>, key: string): Map<string, Entry> {
  const topic = topicOf(key)
  const found = entries.get(topic) ?? new Map<string, Entry>()
  entries.set(topic, found)
  return found
}
