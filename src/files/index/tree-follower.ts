import { statfsSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import { pathKey } from '../../lib/safe-path.ts'
import { Wake } from '../../lib/wake.ts'
import type { IndexWriter } from './index-writer.ts'
import { Intake } from './intake.ts'
import { Looks } from './looks.ts'
import { Places } from './places.ts'
import { isRemote } from './remote-file-systems.ts'
import { Scan, type ScanOptions } from './scan.ts'
import { Sight } from './sight.ts'
import { keyPrefix } from './walk.ts'
import { Watches } from './watches.ts'

export interface FollowOptions {
  /** How long a file must be left alone to be taken for whole. */
  readonly settleMs: number
  /** Likewise where the file system does not tell: its clock may be another one, or its times coarse. */
  readonly blindSettleMs: number
  /** Between two looks at everything, where the file system tells of changes; a long look is followed by a longer pause. */
  readonly scanMs: number
  /** Likewise where it does not. */
  readonly blindScanMs: number
  /** Folders that are watched at most; 0: none. */
  readonly watchesMax: number
}

export interface Following {
  readonly scanning: boolean
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

/** Everything else in the thread waits at most about this long. */
const SLICE_MS = 5
const LOOKS_MAX = 50_000
/** Looking at everything takes at most this part of the time. */
const PAUSE_FACTOR = 20
/** A generation is taken over in one transaction if it has at most about a hundred thousand files. */
const FLIP_SLICES = 800
const PROBLEMS_MAX = 20
/** Between two looks for deletions that are too old to be remembered. */
const COMPACT_MS = 600_000
/** The system forgets events when 16,384 wait, and we are not told; facts: inotify(7), max_queued_events, and libuv's uv__inotify_read. */
const EVENTS_MAX = 8000

interface Barrier {
  readonly scan: number
  /** When what was being written at the end of that scan has been looked at again. */
  quietMs: number | undefined
  readonly resolve: () => void
}

/**
 * Keeps the index in step with the folder: looks at once at what the file system tells of, and at everything from time to time. For a
 * thread of its own: it waits for the file system.
 */
export class TreeFollower {
  readonly #options: FollowerOptions
  readonly #looks = new Looks(LOOKS_MAX)
  readonly #places: Places
  readonly #intake: Intake
  readonly #wake: Wake<'event' | 'asked'>
  /** Folders that are to be scanned; '' for everything. */
  readonly #wanted = new Set<string>()
  /** Links that lead to another generation than before. */
  readonly #flips = new Set<string>()
  readonly #barriers: Barrier[] = []
  readonly #watches: Watches
  #sight: Sight | undefined
  #whole: Scan | undefined
  /** Of a folder that was just met: goes first. */
  #part: Scan | undefined
  #wholeStartedMs = 0
  #nextWholeMs = 0
  #nextCompactMs = 0
  #scansBegun = 0
  #scansDone = 0
  #events = 0
  #follows: 'watch' | 'scan' = 'scan'
  #problems: readonly string[] = []
  #newProblems: string[] = []

  constructor(options: FollowerOptions) {
    this.#options = options
    const { database, writer, clock } = options
    this.#places = new Places(database)
    this.#intake = new Intake({ writer, clock, places: this.#places, looks: this.#looks })
    this.#wake = new Wake(clock)
    this.#watches = new Watches({ max: options.watchesMax, onEvent: (path) => this.#heard(path) })
  }

  get state(): Following {
    const { problem } = this.#watches
    const problems = problem === undefined ? this.#problems : [...this.#problems, problem]
    return { scanning: this.#whole !== undefined, follows: problem === undefined ? this.#follows : 'scan', problems }
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

  /** Where a path leads to, without links; undefined while the folder is not to be seen. */
  absolute(path: string): string | undefined {
    return this.#sight?.absolute(this.#sight.real(path))
  }

  /** Resolves when everything that was there at the moment of calling is in the index, but for what is being written to. */
  async scanned(): Promise<void> {
    this.#wanted.add('')
    this.#wake.poke('asked')
    await new Promise<void>((resolve) => {
      this.#barriers.push({ scan: this.#scansBegun + 1, quietMs: undefined, resolve })
    })
  }

  /** Resolves when the signal aborts. Rejects with errors of the database. */
  async run(signal: AbortSignal): Promise<void> {
    this.#wanted.add('')
    try {
      while (!signal.aborted) {
        const idleMs = this.#step()
        if (idleMs <= 0) await turn()
        else await this.#wake.wait({ ms: idleMs, signal })
      }
    } finally {
      for (const scan of [this.#part, this.#whole]) scan?.close()
      this.#part = undefined
      this.#whole = undefined
      this.#watches.close()
      this.#see(undefined)
    }
  }

  /** Does a little; answers how long nothing is to be done after it. */
  #step(): number {
    const nowMs = this.#options.clock.nowMs()
    if (this.#events > EVENTS_MAX || this.#looks.takeOverflow()) this.#wanted.add('')
    this.#events = 0
    this.#looks.wake(nowMs)
    if (this.#sight !== undefined) this.#lookAround(this.#sight)
    for (const path of this.#flips) this.#flip(path)
    this.#beginScans(nowMs)
    const scan = this.#part ?? this.#whole
    if (scan !== undefined) this.#continueScan(scan)
    this.#compact(nowMs)
    this.#passBarriers(nowMs)
    if (this.#whole !== undefined || this.#part !== undefined || this.#wanted.size > 0) return 0
    const quietMs = this.#barriers.map(({ quietMs }) => quietMs ?? Infinity)
    return Math.min(this.#nextWholeMs, this.#looks.dueMs(nowMs) ?? Infinity, ...quietMs) - nowMs
  }

  #heard(path: string): void {
    this.#events++
    this.#looks.add(path)
    this.#wake.poke('event')
  }

  /** At what was told of, for a slice of time. */
  #lookAround(sight: Sight): void {
    const { clock } = this.#options
    const untilMs = clock.monotonicMs() + SLICE_MS
    const first = this.#looks.take()
    if (first === undefined) return
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
        // Of one that is watched everything is told.
        if (!this.#watches.has(path)) this.#wanted.add(path)
        break
      case 'generation':
        if (sight.followed(path) !== seen.real || !this.#watches.has(path)) this.#flips.add(path)
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
    const key = pathKey(path)
    if (key !== undefined) this.#intake.gone(path, key)
    const prefix = keyPrefix(path)
    if (prefix === undefined) return
    const [below] = this.#options.writer.rows(prefix, undefined, 1)
    if (below?.key.startsWith(prefix) === true) this.#wanted.add(path)
  }

  #transact(work: () => void): void {
    const { writer, onNews } = this.#options
    const { revision } = writer.totals
    if (!this.#intake.transact(work)) this.#wanted.add('')
    if (writer.totals.revision !== revision) onNews()
  }

  /** All of a generation becomes visible in one moment, in listings too. */
  #flip(path: string): void {
    this.#flips.delete(path)
    const sight = this.#sight
    const seen = sight?.look(path)
    sight?.release()
    if (sight === undefined || seen?.kind !== 'generation') return
    this.#watches.remove(path)
    sight.follow(path, seen.real)
    const scan = new Scan(path, this.#scanOptions(sight))
    this.#transact(() => {
      for (let slices = 0; slices < FLIP_SLICES && !scan.slice(); slices++);
    })
    scan.close()
    // A larger one goes on piece by piece; otherwise this finds nothing.
    this.#wanted.add(path)
  }

  #beginScans(nowMs: number): void {
    if (nowMs >= this.#nextWholeMs) this.#wanted.add('')
    if (this.#whole === undefined && this.#wanted.delete('')) this.#beginWhole()
    const sight = this.#sight
    if (this.#part !== undefined || sight === undefined) return
    for (const path of this.#wanted) {
      if (path === '') continue
      this.#wanted.delete(path)
      // It comes to those below by itself.
      for (const other of this.#wanted) if (other.startsWith(`${path}/`)) this.#wanted.delete(other)
      this.#part = new Scan(path, this.#scanOptions(sight))
      return
    }
  }

  #beginWhole(): void {
    this.#newProblems = []
    this.#wholeStartedMs = this.#options.clock.monotonicMs()
    try {
      this.#findRoot()
    } catch (error) {
      this.#problem(messageOf(error))
    }
    this.#scansBegun++
    if (this.#sight === undefined || this.#newProblems.length > 0) {
      this.#endWhole()
      return
    }
    this.#places.prune(this.#sight)
    this.#whole = new Scan('', this.#scanOptions(this.#sight))
    this.#options.onNews()
  }

  #continueScan(scan: Scan): void {
    const { clock } = this.#options
    const untilMs = clock.monotonicMs() + SLICE_MS
    let done = false
    try {
      this.#transact(() => {
        do done = scan.slice()
        while (!done && clock.monotonicMs() < untilMs)
      })
    } catch (error) {
      // What the file system says is tried again later, and nothing is taken for gone until then.
      if ('errcode' in (error as object)) throw error
      this.#problem(messageOf(error))
      done = true
    }
    if (!done) return
    scan.close()
    if (scan === this.#part) this.#part = undefined
    else this.#endWhole()
  }

  #endWhole(): void {
    const { clock, scanMs, blindScanMs, onNews } = this.#options
    this.#whole = undefined
    this.#scansDone = this.#scansBegun
    this.#problems = this.#newProblems
    if (this.#places.paths.some((path) => this.#isRemote(path))) this.#follows = 'scan'
    const tookMs = clock.monotonicMs() - this.#wholeStartedMs
    const pauseMs = this.state.follows === 'watch' ? scanMs : blindScanMs
    this.#nextWholeMs = clock.nowMs() + Math.max(pauseMs, tookMs * PAUSE_FACTOR)
    onNews()
  }

  /** Where it is now, which may be another folder than before. Throws as the system does. */
  #findRoot(): void {
    const { root, settleMs, blindSettleMs, watchesMax } = this.#options
    const sight = new Sight(root)
    if (sight.root === this.#sight?.root && sight.identity === this.#sight.identity) return
    this.#watches.close()
    this.#part?.close()
    this.#part = undefined
    this.#see(sight)
    this.#follows = watchesMax > 0 && !this.#isRemote('') ? 'watch' : 'scan'
    this.#intake.settleMs = this.#follows === 'watch' ? settleMs : blindSettleMs
  }

  #see(sight: Sight | undefined): void {
    this.#sight?.release()
    this.#sight = sight
    this.#intake.sight = sight
  }

  #isRemote(path: string): boolean {
    try {
      return this.#sight !== undefined && isRemote(statfsSync(this.#sight.absolute(path)).type)
    } catch {
      return false
    }
  }

  #scanOptions(sight: Sight): ScanOptions {
    return {
      sight,
      writer: this.#options.writer,
      places: this.#places,
      onFolder: (path) => {
        if (this.#follows === 'watch') this.#watches.add(path, sight.absolute(sight.real(path)))
      },
      onFlip: (path) => void this.#flips.add(path),
      onFile: (file, row) => this.#intake.found(file, row),
      onMissing: (key) => this.#intake.missing(key),
      onProblem: (why) => this.#problem(why),
    }
  }

  #compact(nowMs: number): void {
    const { writer } = this.#options
    if (!writer.isOver && nowMs < this.#nextCompactMs) return
    const { more } = writer.transact(() => ({ keep: true, more: writer.compact(nowMs) }))
    if (!more) this.#nextCompactMs = nowMs + COMPACT_MS
  }

  #problem(why: string): void {
    if (this.#newProblems.length < PROBLEMS_MAX) this.#newProblems.push(why)
  }

  #passBarriers(nowMs: number): void {
    for (const [index, barrier] of [...this.#barriers.entries()].toReversed()) {
      if (barrier.scan > this.#scansDone || this.#wanted.size > 0 || this.#part !== undefined) continue
      barrier.quietMs ??= this.#looks.quietMs(nowMs)
      if (nowMs <= barrier.quietMs) continue
      this.#barriers.splice(index, 1)
      barrier.resolve()
    }
  }
}
