import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import { compareKeys } from '../core/files/entry.ts'
import type { TreeIndex } from '../core/files/tree-index.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import { compareRows, type Difference, differing } from '../core/push/buckets.ts'
import type { Child, RowsWish } from '../core/push/child.ts'
import type { Election } from '../core/push/election.ts'
import type { OpenLedger } from '../core/push/ledger.ts'
import { isGone } from '../core/push/operation.ts'
import type { RepairCounted, RepairReport, RepairWish } from '../core/push/upkeep.ts'
import type { SumRow } from '../core/push/wire.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import type { Sender } from './sender.ts'
import { rowsOf, sumsOf } from './sums.ts'
import { takeBack, type TakingBack } from './take-back.ts'

/** Compared by itself once a day, some sooner and some later, so that not all children are asked at once. */
const EVERY_MS = 24 * 3600_000
/** After a child could not be compared. */
const AGAIN_MS = 10 * 60_000
const PAGE = 1000
/** Differing buckets that are looked into at once. */
const BUCKETS_AT_ONCE = 256
/** Differences that are named; the others are counted. */
const NAMED = 1000

export interface RepairOptions extends Pick<TakingBack, 'files' | 'theirs' | 'onRecorded'> {
  readonly child: Child
  readonly sender: Sender
  readonly ledger: OpenLedger
  readonly index: Pick<TreeIndex, 'page'>
}

type Counters = { -readonly [Name in keyof RepairCounted]: number }

/**
 * Finds what a ledger cannot know: files that were damaged, removed or added behind our backs, on either side. What the child lacks, or has
 * otherwise, is sent again, paced as what is caught up. Files that only the child has stay, unless they were deleted here. What is on its way is none.
 */
export async function compareWith(options: RepairOptions, wish: RepairWish): Promise<RepairReport> {
  const { child, ledger, index } = options
  const { prefix, signal, onProgress } = wish
  const [ours, theirs] = await Promise.all([
    sumsOf({ index, ledger }, prefix, { signal }),
    child.sums(prefix, { signal }),
  ])
  const buckets = differing(ours, theirs)
  const named: Difference[] = []
  const report: Counters = {
    buckets: buckets.length,
    looked: 0,
    missing: 0,
    other: 0,
    extra: 0,
    dropped: 0,
    repaired: 0,
    taken: 0,
  }
  onProgress?.({ ...report })
  for (let at = 0; at < buckets.length; at += BUCKETS_AT_ONCE) {
    const some = buckets.slice(at, at + BUCKETS_AT_ONCE)
    for await (const difference of differences(options, { prefix, buckets: some, signal })) {
      if (await isTaken(options, difference, wish)) report.taken++
      count(options, difference, wish, report, named)
    }
    report.looked += some.length
    onProgress?.({ ...report })
  }
  return { ...report, named }
}

async function isTaken(options: RepairOptions, { theirs }: Difference, wish: RepairWish): Promise<boolean> {
  if (wish.isTakingBack !== true || !wish.isRepair || theirs === undefined) return false
  return await takeBack(options, theirs, { signal: wish.signal })
}

function count(
  { sender, ledger }: RepairOptions,
  difference: Difference,
  { isRepair }: RepairWish,
  report: Counters,
  named: Difference[],
): void {
  const { key } = difference
  const row = ledger.get(key)
  const isDropped = difference.kind === 'extra' && row !== undefined && !isGone(row)
  const kind = isDropped ? 'dropped' : difference.kind
  if (row !== undefined && sender.arrival(key, row.position).state !== 'reached') return
  report[kind]++
  if (named.length < NAMED) named.push({ key, kind })
  const isOurs = row !== undefined && isGone(row) === (kind === 'extra')
  if (kind === 'dropped' || !isRepair || !isOurs || sender.stuck.isFull) return
  sender.sendAgain(key, row.position, WHY[kind])
  report.repaired++
}

const WHY: Readonly<Record<Exclude<Difference['kind'], 'dropped'>, string>> = {
  missing: 'it was there, and is missing now',
  other: 'it is another one than it was',
  extra: 'it was deleted, and is there again',
}

interface Within extends Op {
  readonly prefix: string
  readonly buckets: readonly number[]
}

/** Both sides side by side, each in pages: memory does not grow with the tree. */
async function* differences(options: RepairOptions, within: Within): AsyncGenerator<Difference, void> {
  const { child, ledger, index } = options
  const { prefix, buckets, signal } = within
  const ours = new Pages(async (wish) => rowsOf({ index, ledger }, wish, { signal }), { prefix, buckets })
  const theirs = new Pages(async (wish) => child.rows(wish, { signal }), { prefix, buckets })
  for (;;) {
    const [mine, other] = [await ours.peek(), await theirs.peek()]
    if (mine.length === 0 && other.length === 0) return
    // Up to where both are known.
    const ends = [ours.isLast ? undefined : mine.at(-1)?.key, theirs.isLast ? undefined : other.at(-1)?.key]
    const known = ends.filter((end) => end !== undefined).toSorted(compareKeys)[0]
    yield* compareRows(ours.take(known), theirs.take(known))
    signal?.throwIfAborted()
    await setImmediate()
  }
}

class Pages {
  readonly #ask: (wish: RowsWish) => Promise<readonly SumRow[]>
  readonly #within: Pick<RowsWish, 'prefix' | 'buckets'>
  #rows: readonly SumRow[] = []
  #after = ''
  isLast = false

  constructor(ask: (wish: RowsWish) => Promise<readonly SumRow[]>, within: Pick<RowsWish, 'prefix' | 'buckets'>) {
    this.#ask = ask
    this.#within = within
  }

  /** What is known and was not taken; empty at the end only. */
  async peek(): Promise<readonly SumRow[]> {
    if (this.#rows.length === 0 && !this.isLast) {
      this.#rows = await this.#ask({ ...this.#within, after: this.#after, limit: PAGE })
      this.isLast = this.#rows.length < PAGE
      this.#after = this.#rows.at(-1)?.key ?? this.#after
    }
    return this.#rows
  }

  /** Up to that key, with it; everything that is known where there is none. */
  take(until: string | undefined): readonly SumRow[] {
    const split = until === undefined ? -1 : this.#rows.findIndex(({ key }) => compareKeys(key, until) > 0)
    const taken = split === -1 ? this.#rows : this.#rows.slice(0, split)
    this.#rows = split === -1 ? [] : this.#rows.slice(split)
    return taken
  }
}

export interface RegularRepair extends RepairOptions {
  /** Of several roots: all versions are of one lineage, so what one has lost is taken back. */
  readonly election?: Election | undefined
  readonly clock: Clock
  readonly log: Logger
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/** Compares and repairs once a day, when the child is in step. */
export async function repairRegularly(options: RegularRepair, signal: AbortSignal): Promise<void> {
  const { clock, random, sender, log, child, election } = options
  let waitMs = EVERY_MS * (0.25 + random())
  while (await sleepQuietly(clock, waitMs, signal)) {
    waitMs = AGAIN_MS
    if (sender.state !== 'in-step') continue
    try {
      const isTakingBack = election !== undefined
      const report = await compareWith(options, { prefix: '', isRepair: true, isTakingBack, signal })
      const { missing, other, extra, repaired, taken } = report
      const found = { child: child.url, missing, other, extra, repaired, taken }
      if (missing + other + extra > 0) log.warn('a child differs from what it was sent', found)
      waitMs = EVERY_MS * (0.75 + random() / 2)
    } catch (error) {
      if (!signal.aborted) log.debug('a child cannot be compared', { child: child.url, error: messageOf(error) })
    }
  }
}
