import type { Clock } from '../core/clock.ts'
import { compareKeys } from '../core/files/entry.ts'
import type { ChildView, MissingFile } from '../core/push/distribution.ts'
import type { Ledger, LedgerRow } from '../core/push/ledger.ts'
import { isGone } from '../core/push/operation.ts'
import { Rate } from '../core/sync/progress.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import { operationOf } from './sender-content.ts'
import type { Sender } from './sender.ts'

/** So many rows are counted whenever somebody asks; of more a count goes on in the background. */
const COUNTED = 1000
const KEPT_MS = 500
const SLICE_MS = 20
const ROUND_MS = 1000
/** What has not moved for so long may be hung: nobody knows when it goes on. */
const STILL_MS = 3000
/** A count of many rows is made anew after so long. */
const COUNT_MS = 60_000
/** Of fewer, what is missing is told exactly, deletions included. */
const LISTED = 20_000
const SCANNED = 50_000

type Behind = ChildView['behind']

interface Count {
  readonly from: number
  readonly to: number
  readonly operations: number
  readonly bytes: number
  readonly atMs: number
}

/** How much a child lacks, and what: cheap to ask for, however much it is. */
export class Backlog {
  readonly #ledger: Ledger
  readonly #sender: Sender
  readonly #clock: Clock
  readonly #rate = new Rate()
  /** When it was seen last that bytes were sent. */
  #moved: { readonly atMs: number; readonly bytes: number } = { atMs: -Infinity, bytes: 0 }
  #count: Count | undefined
  #kept: { readonly behind: Behind; readonly untilMs: number; readonly of: string } | undefined

  constructor(ledger: Ledger, sender: Sender, clock: Clock) {
    this.#ledger = ledger
    this.#sender = sender
    this.#clock = clock
  }

  behind(): Behind {
    const nowMs = this.#clock.monotonicMs()
    const { cursor, stuck, state } = this.#sender
    const of = `${cursor === this.#ledger.position && stuck.size === 0} ${state === 'in-step'}`
    if (this.#kept === undefined || this.#kept.untilMs <= nowMs || this.#kept.of !== of) {
      this.#kept = { behind: this.#look(), untilMs: nowMs + KEPT_MS, of }
    }
    return this.#kept.behind
  }

  /** Undefined where nothing moves, or nothing is lacking. */
  etaMs(): number | undefined {
    if (this.#clock.monotonicMs() - this.#moved.atMs > STILL_MS) return undefined
    const { bytes } = this.behind()
    return bytes === 0 ? undefined : this.#rate.remainingMs(bytes)
  }

  /** Counts what is too much to be counted at once, and measures how fast it becomes less. */
  async run(signal: AbortSignal): Promise<void> {
    do {
      this.#mark()
      const isMuch = this.#ledger.after(this.#sender.cursor, COUNTED + 1).length > COUNTED
      const isOld = this.#count === undefined || this.#clock.monotonicMs() - this.#count.atMs > COUNT_MS
      if (!isMuch) this.#count = undefined
      else if (isOld) await this.#countAll(signal)
    } while (await sleepQuietly(this.#clock, ROUND_MS, signal))
  }

  #mark(): void {
    const atMs = this.#clock.monotonicMs()
    const bytes = this.#sender.sentBytes
    this.#rate.mark(atMs, bytes)
    if (bytes !== this.#moved.bytes) this.#moved = { atMs, bytes }
  }

  missing({ after, limit }: { readonly after: string; readonly limit: number }): readonly MissingFile[] {
    const { cursor } = this.#sender
    const rows = this.#ledger.after(cursor, LISTED + 1)
    if (rows.length > LISTED) return this.#missingOfMany(after, limit)
    const lacking = new Map(rows.filter((row) => !this.#sender.hasPassed(row.position)).map((row) => [row.key, row]))
    for (const { key } of this.#sender.stuck.all()) {
      const row = this.#ledger.get(key)
      if (row !== undefined) lacking.set(key, row)
    }
    return [...lacking.values()]
      .filter(({ key }) => compareKeys(key, after) > 0)
      .toSorted((a, b) => compareKeys(a.key, b.key))
      .slice(0, limit)
      .map((row) => this.#missing(row))
  }

  /** Files only: deletions are not in the order of keys. */
  #missingOfMany(after: string, limit: number): readonly MissingFile[] {
    const { cursor, stuck } = this.#sender
    const found: MissingFile[] = []
    let last = after
    for (let scanned = 0; found.length < limit && (scanned < SCANNED || found.length === 0);) {
      const page = this.#ledger.page({ prefix: '', after: last, limit: COUNTED })
      for (const row of page) {
        if (found.length < limit && (row.position > cursor || stuck.get(row.key) !== undefined))
          found.push(this.#missing(row))
      }
      if (page.length < COUNTED) break
      last = page.at(-1)?.key ?? last
      scanned += page.length
    }
    return found
  }

  #missing(row: LedgerRow): MissingFile {
    const error = this.#sender.stuck.get(row.key)?.error
    return { operation: operationOf(row), recordedMs: row.recordedMs, ...(error !== undefined && { error }) }
  }

  #look(): Behind {
    const { cursor, stuck } = this.#sender
    const rows = this.#ledger.after(cursor, COUNTED + 1)
    const lacking = rows.filter((row) => !this.#sender.hasPassed(row.position))
    let operations = lacking.length
    let bytes = bytesOf(lacking)
    let sinceMs = lacking[0]?.recordedMs
    if (rows.length > COUNTED) ({ operations, bytes } = this.#guess(cursor, operations, bytes))
    for (const { key } of first(stuck.all(), COUNTED)) {
      const row = this.#ledger.get(key)
      if (row === undefined) continue
      operations++
      bytes += bytesOf([row])
      sinceMs = Math.min(sinceMs ?? row.recordedMs, row.recordedMs)
    }
    return { operations, bytes, sinceMs }
  }

  /** From the last count, as if what was counted were spread evenly; before there is one, as if no row had been replaced. */
  #guess(cursor: number, sample: number, sampleBytes: number): { operations: number; bytes: number } {
    const { position } = this.#ledger
    const count = this.#count
    if (count === undefined || cursor >= count.to) {
      const operations = position - cursor
      return { operations, bytes: Math.round((sampleBytes / Math.max(1, sample)) * operations) }
    }
    const share = (count.to - cursor) / Math.max(1, count.to - count.from)
    const average = count.bytes / Math.max(1, count.operations)
    const since = position - count.to
    return {
      operations: Math.round(count.operations * share) + since,
      bytes: Math.round(count.bytes * share + since * average),
    }
  }

  async #countAll(signal: AbortSignal): Promise<void> {
    const from = this.#sender.cursor
    let to = from
    let operations = 0
    let bytes = 0
    for (;;) {
      const rows = this.#ledger.after(to, COUNTED)
      operations += rows.length
      bytes += bytesOf(rows)
      to = rows.at(-1)?.position ?? to
      if (rows.length < COUNTED) break
      if (!(await sleepQuietly(this.#clock, SLICE_MS, signal))) return
    }
    this.#count = { from, to, operations, bytes, atMs: this.#clock.monotonicMs() }
  }
}

function bytesOf(rows: readonly LedgerRow[]): number {
  let bytes = 0
  for (const row of rows) bytes += isGone(row) ? 0 : row.size
  return bytes
}

function* first<T>(items: Iterable<T>, limit: number): Generator<T, void> {
  let count = 0
  for (const item of items) {
    if (count++ >= limit) return
    yield item
  }
}
