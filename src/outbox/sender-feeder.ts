import type { Clock } from '../core/clock.ts'
import type { Ledger, LedgerRow } from '../core/push/ledger.ts'
import { Window } from '../core/push/window.ts'
import type { Bell } from '../lib/bell.ts'
import type { StuckList } from './sender-stuck.ts'
import type { Track } from './sender-track.ts'

/** Rows under way and waiting for it: their content is read when its turn comes. */
const OPEN_MAX = 4096
const PAGE = 256
/** Whether it is time may change meanwhile. */
const ASK_MS = 1000

export interface FeederOptions {
  readonly ledger: Ledger
  readonly track: Track
  readonly stuck: StuckList
  /** Rung when a row was recorded. */
  readonly recorded: Bell
  /** After this position. */
  readonly from: number
  /** Up to, with, this position; undefined: whatever comes. */
  readonly to?: number | undefined
  readonly send: (row: LedgerRow, window: Window) => void
  /** In how many ms it is time for that row; 0: now. Asked again and again. */
  readonly dueIn: (row: LedgerRow) => number
  readonly clock: Clock
}

/** Takes rows from the ledger in the order of their positions, and knows up to where they have arrived. */
export class Feeder {
  readonly window: Window
  readonly #options: FeederOptions
  #isAtEnd: boolean

  constructor(options: FeederOptions) {
    this.#options = options
    this.window = new Window(options.from)
    this.#isAtEnd = options.to !== undefined && options.from >= options.to
  }

  /** There was an end, and everything up to it has arrived. */
  get isOver(): boolean {
    return this.#isAtEnd && this.window.cursor === this.window.sent
  }

  /** Whether the row was looked at, and has arrived or been set aside. */
  hasPassed(position: number): boolean {
    return position <= this.window.sent && !this.#options.track.isOpen(position)
  }

  /** Resolves when the last row up to the end was sent. */
  async run(signal: AbortSignal): Promise<void> {
    const { ledger, track, stuck, recorded, to, send, dueIn, clock } = this.#options
    while (!this.#isAtEnd) {
      if (track.size >= OPEN_MAX || stuck.isFull) {
        await track.moved.rung({ signal })
        continue
      }
      const rows = ledger.after(this.window.sent, PAGE).filter((row) => to === undefined || row.position <= to)
      for (const row of rows) {
        const waitMs = dueIn(row)
        if (waitMs > 0) {
          await clock.sleep(Math.min(waitMs, ASK_MS), signal)
          break
        }
        this.window.send(row.position)
        send(row, this.window)
      }
      if (rows.length > 0) continue
      if (to === undefined) await recorded.rung({ signal })
      else this.#isAtEnd = true
    }
  }
}
