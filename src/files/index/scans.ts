import { statfsSync } from 'node:fs'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import { isRemote } from '../../lib/remote-file-systems.ts'
import type { IndexWriter } from './index-writer.ts'
import type { Intake } from './intake.ts'
import type { Places } from './places.ts'
import { Scan, type ScanOptions } from './scan.ts'
import { Sight } from './sight.ts'
import type { Watches } from './watches.ts'

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

interface ScansOptions extends FollowOptions {
  readonly root: string
  readonly writer: IndexWriter
  readonly places: Places
  readonly watches: Watches
  readonly intake: Intake
  readonly clock: Clock
  readonly transact: (work: () => void) => void
  /** Whether everything was looked at before, in whatever process. */
  readonly isKnown: boolean
  /** Everything has been looked at for the first time. */
  readonly onKnown: () => void
  /** It is scanned, or followed, differently. */
  readonly onNews: () => void
}

/** Everything else in the thread waits at most about this long. */
export const SLICE_MS = 5
/** A look at everything is followed by a pause of so many times its length: where all is told besides, and where not. */
const PAUSE_FACTOR = { watch: 20, scan: 5 } as const
/** A generation is taken over in one transaction if it has at most about a hundred thousand files. */
const FLIP_SLICES = 800
const PROBLEMS_MAX = 20

/** Scans everything from time to time, and at once the folders that are named. */
export class Scans {
  readonly #options: ScansOptions
  /** '' for everything. */
  readonly #wanted = new Set<string>()
  /** Links that lead to another generation than before. */
  readonly #flips = new Set<string>()
  #whole: Scan | undefined
  /** Of a folder that was just met: goes first. */
  #part: Scan | undefined
  #startedMs = 0
  #nextMs = 0
  #begun = 0
  #done = 0
  #isKnown: boolean
  #follows: 'watch' | 'scan' = 'scan'
  #problems: readonly string[] = []
  #newProblems: string[] = []

  constructor(options: ScansOptions) {
    this.#options = options
    this.#isKnown = options.isKnown
  }

  /** Whether everything has been looked at, once at least: before that files are missing that are there. */
  get isKnown(): boolean {
    return this.#isKnown
  }

  /** How many scans of everything were begun, and are over. */
  get begun(): number {
    return this.#begun
  }

  get done(): number {
    return this.#done
  }

  get isWhole(): boolean {
    return this.#whole !== undefined
  }

  get problems(): readonly string[] {
    const { problem } = this.#options.watches
    return problem === undefined ? this.#problems : [...this.#problems, problem]
  }

  get follows(): 'watch' | 'scan' {
    return this.#options.watches.problem === undefined ? this.#follows : 'scan'
  }

  want(path: string): void {
    this.#wanted.add(path)
  }

  /** The link leads to another generation. */
  flipped(path: string): void {
    this.#flips.add(path)
  }

  /** Does a little. */
  step(nowMs: number): void {
    for (const path of this.#flips) this.#flip(path)
    if (nowMs >= this.#nextMs) this.#wanted.add('')
    if (this.#whole === undefined && this.#wanted.delete('')) this.#beginWhole()
    if (this.#part === undefined) this.#beginPart()
    const scan = this.#part ?? this.#whole
    if (scan !== undefined) this.#continue(scan)
  }

  /** When there is something to do. */
  dueMs(nowMs: number): number {
    const isBusy = this.#whole !== undefined || this.#part !== undefined || this.#wanted.size > 0
    return isBusy ? nowMs : this.#nextMs
  }

  close(): void {
    this.#part?.close()
    this.#whole?.close()
    this.#part = undefined
    this.#whole = undefined
    this.#options.watches.close()
    this.#options.intake.see(undefined)
  }

  /** All of a generation becomes visible in one moment, in listings too. */
  #flip(path: string): void {
    this.#flips.delete(path)
    const { intake, watches, transact } = this.#options
    const { sight } = intake
    const seen = sight?.look(path)
    sight?.release()
    if (sight === undefined || seen?.kind !== 'generation') return
    watches.remove(path)
    sight.follow(path, seen.real)
    const scan = new Scan(path, this.#scanOptions(sight))
    transact(() => {
      for (let slices = 0; slices < FLIP_SLICES && !scan.slice(); slices++);
    })
    scan.close()
    // A larger one goes on piece by piece; otherwise this finds nothing.
    this.#wanted.add(path)
  }

  #beginWhole(): void {
    const { clock, places, watches, onNews } = this.#options
    this.#begun++
    this.#newProblems = []
    // What could not be watched is tried again.
    watches.forgetProblem()
    this.#startedMs = clock.monotonicMs()
    try {
      const sight = this.#findRoot()
      places.prune(sight)
      this.#whole = new Scan('', this.#scanOptions(sight))
      onNews()
    } catch (error) {
      this.#problem(messageOf(error))
      this.#endWhole({ isComplete: false })
    }
  }

  #beginPart(): void {
    const { sight } = this.#options.intake
    if (sight === undefined) return
    for (const path of this.#wanted) {
      if (path === '') continue
      this.#wanted.delete(path)
      // It comes to those below by itself.
      for (const other of this.#wanted) if (other.startsWith(`${path}/`)) this.#wanted.delete(other)
      this.#part = new Scan(path, this.#scanOptions(sight))
      return
    }
  }

  #continue(scan: Scan): void {
    const { clock, transact } = this.#options
    const untilMs = clock.monotonicMs() + SLICE_MS
    let done = false
    let isCut = false
    try {
      transact(() => {
        do done = scan.slice()
        while (!done && clock.monotonicMs() < untilMs)
      })
    } catch (error) {
      // What the file system says is tried again later, and nothing is taken for gone until then.
      if ('errcode' in (error as object)) throw error
      this.#problem(messageOf(error))
      done = true
      isCut = true
    }
    if (!done) return
    scan.close()
    if (scan === this.#part) this.#part = undefined
    else this.#endWhole({ isComplete: !isCut })
  }

  #endWhole({ isComplete }: { readonly isComplete: boolean }): void {
    const { clock, places, scanMs, blindScanMs, onNews, onKnown } = this.#options
    if (isComplete && !this.#isKnown) {
      this.#isKnown = true
      onKnown()
    }
    this.#whole = undefined
    this.#done = this.#begun
    this.#problems = this.#newProblems
    if (places.paths.some((path) => this.#isRemote(path))) this.#follows = 'scan'
    const tookMs = clock.monotonicMs() - this.#startedMs
    const pauseMs = this.follows === 'watch' ? scanMs : blindScanMs
    this.#nextMs = clock.nowMs() + Math.max(pauseMs, tookMs * PAUSE_FACTOR[this.follows])
    onNews()
  }

  /** Where it is now, which may be another folder than before. Throws as the system does. */
  #findRoot(): Sight {
    const { root, settleMs, blindSettleMs, watchesMax, intake, watches } = this.#options
    const sight = new Sight(root)
    if (intake.sight !== undefined && sight.equals(intake.sight)) return intake.sight
    watches.close()
    this.#part?.close()
    this.#part = undefined
    intake.see(sight)
    this.#follows = watchesMax > 0 && !this.#isRemote('') ? 'watch' : 'scan'
    intake.settleMs = this.#follows === 'watch' ? settleMs : blindSettleMs
    return sight
  }

  #isRemote(path: string): boolean {
    const { sight } = this.#options.intake
    try {
      return sight !== undefined && isRemote(statfsSync(sight.absolute(path)).type)
    } catch {
      return false
    }
  }

  #scanOptions(sight: Sight): ScanOptions {
    const { writer, places, watches, intake } = this.#options
    return {
      sight,
      writer,
      places,
      onFolder: (path) => {
        if (this.#follows === 'watch') watches.add(path, sight.absolute(sight.real(path)))
      },
      onFlip: (path) => void this.#flips.add(path),
      onFile: (file, row) => intake.found(file, row),
      onMissing: (key) => intake.missing(key),
      onProblem: (why) => this.#problem(why),
    }
  }

  #problem(why: string): void {
    if (this.#newProblems.length < PROBLEMS_MAX) this.#newProblems.push(why)
  }
}
