import type { DatabaseSync } from 'node:sqlite'
import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../core/clock.ts'
import { pathKey } from '../../lib/safe-path.ts'
import { Wake } from '../../lib/wake.ts'
import { Barriers } from './barriers.ts'
import { meta, setMeta } from './database.ts'
import type { IndexWriter } from './index-writer.ts'
import { Intake } from './intake.ts'
import { Looks } from './looks.ts'
import { Places } from './places.ts'
import { type FollowOptions, Scans, SLICE_MS } from './scans.ts'
import type { Seen, Sight } from './sight.ts'
import { keyPrefix } from './walk.ts'
import { Watches } from './watches.ts'

export interface Following {
  readonly scanning: boolean
  /** Whether everything has been looked at once. */
  readonly known: boolean
  readonly follows: 'watch' | 'scan'
  readonly problems: readonly string[]
}

interface FollowerOptions extends FollowOptions {
  readonly root: string
  readonly database: DatabaseSync
  readonly writer: IndexWriter
  readonly clock: Clock
  /** Something was committed, or is followed differently. */
  readonly onNews: () => void
}

/** What one of us puts into its place is noted in a moment, with what is known of it: it need not be announced without that. */
const OURS_MS = 20
const LOOKS_MAX = 50_000
/** Timers take no more than 2^31 ms. */
const IDLE_MAX_MS = 3_600_000
const KNOWN = 'known'
/** Between two looks for deletions that are too old to be remembered. */
const COMPACT_MS = 600_000
/** The system forgets events when 16,384 wait, and we are not told; facts: inotify(7), max_queued_events, and libuv's uv__inotify_read. */
const EVENTS_MAX = 8000

/**
 * Keeps the index in step with the folder: looks at once at what the file system tells of, and at everything from time to time. For a
 * thread of its own: it waits for the file system.
 */
export class TreeFollower {
  readonly #options: FollowerOptions
  readonly #looks = new Looks(LOOKS_MAX)
  readonly #barriers = new Barriers()
  readonly #intake: Intake
  readonly #watches: Watches
  readonly #scans: Scans
  readonly #wake: Wake<'event' | 'asked'>
  #events = 0
  #nextCompactMs = 0

  constructor(options: FollowerOptions) {
    this.#options = options
    const { database, writer, clock, watchesMax } = options
    const places = new Places(database)
    const intake = new Intake({ writer, clock, places, looks: this.#looks })
    const watches = new Watches({ max: watchesMax, onEvent: (path, isOurs) => this.#heard(path, isOurs) })
    const transact = (work: () => void): void => this.#transact(work)
    this.#intake = intake
    this.#watches = watches
    const isKnown = meta(database, KNOWN) === 1
    const onKnown = (): void => setMeta(database, KNOWN, 1)
    this.#scans = new Scans({ ...options, places, intake, watches, transact, isKnown, onKnown })
    this.#wake = new Wake(clock)
  }

  get state(): Following {
    const { isWhole, isKnown, follows, problems } = this.#scans
    return { scanning: isWhole, known: isKnown, follows, problems }
  }

  /** Looks there soon: at a folder with everything below. */
  look(path: string): void {
    this.#watches.remove(path)
    this.check(path)
  }

  /** Looks there soon. */
  check(path: string): void {
    this.#looks.add(path)
    this.#wake.poke('asked')
  }

  /** What came there is in the index: it need not be looked at, unless something else was heard of it too. */
  noted(path: string): void {
    this.#looks.forgetOnce(path)
  }

  /** What lies at a path now, and where that is; undefined while the folder is not to be seen. */
  seen(path: string): { readonly seen: Seen; readonly absolute: string } | undefined {
    const { sight } = this.#intake
    if (sight === undefined) return undefined
    const seen = sight.look(path)
    sight.release()
    return { seen, absolute: sight.absolute(sight.real(path)) }
  }

  /** Resolves when everything that was there at the moment of calling is in the index, but for what is being written to. */
  async scanned(): Promise<void> {
    this.#scans.want('')
    this.#wake.poke('asked')
    await this.#barriers.wait(this.#scans.begun + 1)
  }

  /** Resolves when the signal aborts. Rejects with errors of the database. */
  async run(signal: AbortSignal): Promise<void> {
    this.#scans.want('')
    try {
      while (!signal.aborted) {
        const idleMs = this.#step()
        if (idleMs <= 0) await turn()
        else await this.#wake.wait({ ms: Math.min(idleMs, IDLE_MAX_MS), signal })
      }
    } finally {
      this.#scans.close()
    }
  }

  /** Does a little; answers how long nothing is to be done after it. */
  #step(): number {
    const nowMs = this.#options.clock.nowMs()
    if (this.#events > EVENTS_MAX || this.#looks.takeOverflow()) this.#scans.want('')
    this.#events = 0
    this.#watches.pause()
    this.#looks.wake(nowMs)
    this.#lookAround()
    this.#scans.step(nowMs)
    this.#compact(nowMs)
    const lookMs = this.#looks.dueMs(nowMs) ?? Infinity
    if (Math.min(this.#scans.dueMs(nowMs), lookMs) <= nowMs) return 0
    this.#barriers.pass(nowMs, this.#scans.done, this.#looks.quietMs(nowMs))
    return Math.min(this.#scans.dueMs(nowMs), lookMs, this.#barriers.dueMs()) - nowMs
  }

  #heard(path: string, isOurs: boolean): void {
    this.#events++
    if (isOurs) this.#looks.waitOnce(path, this.#options.clock.nowMs() + OURS_MS)
    else this.#looks.add(path)
    this.#wake.poke('event')
  }

  /** At what was told of, for a slice of time. */
  #lookAround(): void {
    const { clock } = this.#options
    const { sight } = this.#intake
    const first = sight === undefined ? undefined : this.#looks.take()
    if (sight === undefined || first === undefined) return
    const untilMs = clock.monotonicMs() + SLICE_MS
    this.#transact(() => {
      for (let path: string | undefined = first; path !== undefined; path = this.#looks.take()) {
        this.#lookAt(sight, path)
        if (clock.monotonicMs() >= untilMs) break
      }
    })
  }

  #lookAt(sight: Sight, path: string): void {
    const { writer, clock, blindScanMs } = this.#options
    const seen = sight.look(path)
    switch (seen.kind) {
      case 'file':
        this.#intake.found({ path, key: seen.key, stat: seen.stat }, writer.row(seen.key))
        break
      case 'folder':
        this.#noFile(path)
        // A link was in its place: what is watched and followed is the generation that it led to.
        if (sight.followed(path) !== undefined) {
          sight.follow(path, undefined)
          this.#watches.remove(path)
        }
        // Of one that is watched everything is told.
        if (!this.#watches.has(path)) this.#scans.want(path)
        break
      case 'generation':
        this.#noFile(path)
        if (sight.followed(path) !== seen.real || !this.#watches.has(path)) this.#scans.flipped(path)
        break
      case 'none':
        this.#notThere(sight, path)
        break
      case 'unknown':
        this.#looks.wait(path, clock.nowMs() + blindScanMs)
        break
    }
  }

  #notThere(sight: Sight, path: string): void {
    if (sight.followed(path) !== undefined) sight.follow(path, undefined)
    this.#watches.remove(path)
    this.#noFile(path)
    const prefix = keyPrefix(path)
    if (prefix === undefined) return
    const [below] = this.#options.writer.rows(prefix, undefined, 1)
    if (below?.key.startsWith(prefix) === true) this.#scans.want(path)
  }

  #noFile(path: string): void {
    const key = pathKey(path)
    if (key !== undefined) this.#intake.gone(path, key)
  }

  #transact(work: () => void): void {
    const { writer, onNews } = this.#options
    const { totals, doubts } = writer
    if (!this.#intake.transact(work)) this.#scans.want('')
    if (writer.totals.revision !== totals.revision || writer.doubts !== doubts) onNews()
  }

  #compact(nowMs: number): void {
    const { writer } = this.#options
    if (!writer.isOver && nowMs < this.#nextCompactMs) return
    const { more } = writer.transact(() => ({ keep: true, more: writer.compact(nowMs) }))
    if (!more) this.#nextCompactMs = nowMs + COMPACT_MS
  }
}
