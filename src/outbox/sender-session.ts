import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import type { TreeFiles } from '../core/files/tree-files.ts'
import type { Child } from '../core/push/child.ts'
import type { LedgerRow, OpenLedger } from '../core/push/ledger.ts'
import { isGone, type Operation } from '../core/push/operation.ts'
import type { Hello, HelloAnswer, Outcome } from '../core/push/wire.ts'
import type { Bell } from '../lib/bell.ts'
import { together } from '../lib/together.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import { Lanes } from './lanes.ts'
import type { Pace, Parts } from './lanes-body.ts'
import { type Followed, Live } from './live.ts'
import { Feeder } from './sender-feeder.ts'
import { Guess } from './sender-guess.ts'
import type { RelayBoard } from './sender-relay.ts'
import type { StuckList } from './sender-stuck.ts'
import type { Suspects } from './sender-suspects.ts'
import { type Item, Track } from './sender-track.ts'

/**
 * `rows`: with more to catch up, everything is offered first. `bytes`: whoever falls further behind than that has to catch up again. `ofOne`: more does
 * not count of one file: however large, it may have come this very moment, and to a child that takes it as fast as it can.
 */
export const BEHIND = { rows: 256, bytes: 256 * 1024 * 1024, ofOne: 128 * 1024 * 1024 } as const
/** How often a child is asked whether it is still the one it was, and what lies below it. */
const HEARTBEAT_MS = 5000
/** One that says nothing at all for so long, not even to that, is told as gone: within about ten seconds. */
const SILENT_MS = 5000
/** How often it is looked what is to be tried again. */
const RETRY_MS = 1000
const RETRIES = 64

export interface SessionOptions {
  readonly child: Child
  readonly ledger: OpenLedger
  readonly files: TreeFiles
  readonly clock: Clock
  readonly random: () => number
  readonly stuck: StuckList
  readonly suspects: Suspects
  readonly parts: Parts
  /** What holds back what is to be caught up. */
  readonly throttle: Pace | undefined
  readonly relay: RelayBoard | undefined
  readonly recorded: Bell
  readonly hello: () => Hello
  /** The id of its ledger, as it introduced itself. */
  readonly id: string
  readonly cursor: number
  readonly isOffering: boolean
  /** As of `SenderOptions`. */
  readonly offeredAfter: (row: LedgerRow) => number | undefined
  readonly onSent: (bytes: number) => void
  readonly onHeard: (answer?: HelloAnswer) => void
  readonly onOutcome: (operation: Operation, outcome: Outcome) => void
  readonly onCursor: (cursor: number) => void
  readonly onSettled: (key: string) => void
}

/** The child fell too far behind, or is another one: begin anew, without a pause. */
export class Anew extends Error {}

/** One connection to one child, from its hello until something breaks. */
export class Session {
  readonly #options: SessionOptions
  readonly #track: Track
  /** What was recorded before: at most as fast as the throttle allows, and what was set aside. */
  readonly #calm: Lanes
  /** What is recorded from now on. */
  readonly #brisk: Lanes
  readonly #missed: Feeder
  readonly #coming: Feeder
  readonly #failing = new AbortController()
  readonly #live: Live
  readonly #reached: number
  /** Of the monotonic clock. */
  #heardAtMs = 0

  constructor(options: SessionOptions) {
    const { ledger, stuck, recorded, clock, random, cursor, onSettled, offeredAfter } = options
    this.#options = options
    this.#reached = Math.max(cursor, ledger.position)
    const at = (): { nowMs: number; random: number } => ({ nowMs: clock.nowMs(), random: random() })
    const track = new Track({ stuck, at, onSettled, send: (item) => this.#lanesOf(item).add(item) })
    const shared = { ...options, track, guess: new Guess(), onAnswer: () => this.#answered() }
    this.#track = track
    // What one child missed is its own affair.
    this.#calm = new Lanes({ ...shared, relay: undefined })
    this.#brisk = new Lanes({ ...shared, throttle: undefined })
    const dueIn = (row: LedgerRow): number => {
      const afterMs = offeredAfter(row) ?? 0
      return afterMs === 0 ? 0 : row.recordedMs + afterMs - clock.nowMs()
    }
    const isOffer = (row: LedgerRow): boolean => !isGone(row) && (options.isOffering || offeredAfter(row) !== undefined)
    const isGuess = (row: LedgerRow): boolean => offeredAfter(row) === undefined
    const feeding = { ledger, track, stuck, recorded, clock, dueIn }
    this.#missed = new Feeder({
      ...feeding,
      from: cursor,
      to: this.#reached,
      send: (row, window) => track.add({ row, window, isOffer: isOffer(row), isGuess: isGuess(row) }),
    })
    this.#coming = new Feeder({
      ...feeding,
      from: this.#reached,
      send: (row, window) => track.add({ row, window, isOffer: !isGone(row) && offeredAfter(row) !== undefined }),
    })
    const onFailure = (error: unknown): void => this.#failing.abort(error)
    this.#live = new Live({ ...shared, onFailure }, this.#failing.signal)
  }

  /** Whether it still lacks what was recorded before. */
  get isBehind(): boolean {
    return !this.#missed.isOver
  }

  get isInStep(): boolean {
    const { ledger } = this.#options
    return this.#missed.isOver && this.#coming.window.cursor >= ledger.position
  }

  get cursor(): number {
    return this.#missed.isOver ? this.#coming.window.cursor : this.#missed.window.cursor
  }

  /** Whether the row at that position is no longer on its way. */
  hasPassed(position: number): boolean {
    return (position <= this.#reached ? this.#missed : this.#coming).hasPassed(position)
  }

  follow(followed: Followed): boolean {
    return !this.isBehind && this.#live.follow(followed)
  }

  /** Rejects with what broke it, or the signal's reason. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#failing.abort(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    const both = AbortSignal.any([signal, this.#failing.signal])
    try {
      await together(
        [
          async (one) => this.#missed.run(one),
          async (one) => this.#coming.run(one),
          async (one) => this.#calm.run(one),
          async (one) => this.#brisk.run(one),
          async (one) => this.#retry(one),
          async (one) => this.#heartbeat(one),
        ],
        both,
      )
    } catch (error) {
      this.#failing.abort(error)
      throw this.#failing.signal.reason
    } finally {
      signal.removeEventListener('abort', stop)
      this.#failing.abort(new Error('the connection is over'))
      await this.#live.ended()
      this.#options.onCursor(this.cursor)
    }
  }

  #lanesOf({ window }: Item): Lanes {
    return window === this.#coming.window ? this.#brisk : this.#calm
  }

  #answered(): void {
    this.#heardAtMs = this.#options.clock.monotonicMs()
    this.#options.onHeard()
    this.#options.onCursor(this.cursor)
  }

  async #heartbeat(signal: AbortSignal): Promise<void> {
    const { child, clock, hello, id, onHeard } = this.#options
    for (;;) {
      await clock.sleep(HEARTBEAT_MS, signal)
      const answer = await this.#notSilent(async (late) =>
        child.hello(hello(), { signal: AbortSignal.any([signal, late]) }),
      )
      if (answer.id !== id) throw new Anew('another child is there now')
      onHeard(answer)
    }
  }

  /** Rejects once nothing was heard of the child for too long, whatever was asked of it. */
  async #notSilent<T>(work: (late: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, child } = this.#options
    const late = new AbortController()
    const done = new AbortController()
    this.#heardAtMs = clock.monotonicMs()
    const watch = async (): Promise<void> => {
      for (;;) {
        const leftMs = this.#heardAtMs + SILENT_MS - clock.monotonicMs()
        if (leftMs <= 0) return late.abort(new FlotillaError('UNREACHABLE', `${child.url} fell silent`))
        if (!(await sleepQuietly(clock, leftMs, done.signal))) return
      }
    }
    void watch()
    try {
      return await work(late.signal)
    } finally {
      done.abort()
    }
  }

  async #retry(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    for (;;) {
      this.#retryDue()
      if (this.#isFarBehind()) throw new Anew('it fell behind')
      await clock.sleep(RETRY_MS, signal)
    }
  }

  #retryDue(): void {
    const { ledger, stuck, clock } = this.#options
    const room = RETRIES - this.#calm.waiting
    if (room <= 0) return
    for (const { key, position } of stuck.due(clock.nowMs(), room)) {
      if (this.#track.isBusy(key)) continue
      const row = ledger.get(key)
      // What was recorded since comes for itself.
      if (row?.position !== position) stuck.solve(key, position)
      else this.#track.add({ row, window: undefined, isOffer: false })
    }
  }

  #isFarBehind(): boolean {
    if (this.isBehind) return false
    const { ledger } = this.#options
    const rows = ledger.after(this.#coming.window.cursor, BEHIND.rows)
    let bytes = 0
    for (const row of rows) bytes += isGone(row) ? 0 : Math.min(row.size, BEHIND.ofOne)
    const last = rows.length < BEHIND.rows ? undefined : rows.at(-1)
    // Of more than these it is enough to guess.
    const others = last === undefined ? 0 : (ledger.position - last.position) * (bytes / rows.length)
    return bytes + others > BEHIND.bytes
  }
}
