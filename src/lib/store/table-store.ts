import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../core/clock.ts'
import { FlotillaError, isError } from '../../core/errors.ts'
import type { Op } from '../../core/op.ts'
import { checkKey, checkPrefix, checkPrefixes, checkRevision, checkTtl, checkTxn } from '../../core/store-limits.ts'
import {
  type Batch,
  type Commit,
  type Entry,
  type Lease,
  type Listing,
  type Store,
  type Txn,
  type WatchOptions,
} from '../../core/store.ts'
import { within } from './change-log.ts'
import { Group } from './commit-group.ts'
import { attempt, CommitQueue, type Request } from './commit-queue.ts'
import { LeaseTimers } from './lease-timers.ts'
import type { Table } from './table.ts'
import { WaitingWatches } from './waiting-watches.ts'

/** How many commits a watch passes over before it lets others run. */
const SCAN_MAX = 500

/**
 * The store's contract over a `Table`, whatever that is made of.
 *
 * Group commit: what is asked for in one turn of the event loop is written as one unit at the end of the turn, one
 * after another, each with its own expectations and revision. So a durable table syncs its disk once for all of them.
 */
export class TableStore implements Store {
  readonly #table: Table
  readonly #timers: LeaseTimers
  readonly #watches = new WaitingWatches()
  readonly #queue = new CommitQueue((requests) => this.#write(requests))
  #ended: FlotillaError | undefined

  constructor(table: Table, clock: Clock) {
    this.#table = table
    this.#timers = new LeaseTimers(clock, (id) =>
      this.#ask({}, 0, (group) => this.#timers.isDue(id) && group.endLease(id)),
    )
    for (const { id, ttlMs } of table.leases()) this.#timers.add(id, ttlMs)
  }

  async get(key: string, op: Op = {}): Promise<Entry | undefined> {
    checkKey(key)
    this.#assertOpen(op)
    return this.#table.get(key)
  }

  async list(prefix: string, op: Op = {}): Promise<Listing> {
    checkPrefix(prefix)
    this.#assertOpen(op)
    return { entries: this.#table.list(prefix), revision: this.#table.revision }
  }

  async commit(txn: Txn, op: Op = {}): Promise<Commit> {
    const bytes = checkTxn(txn)
    return await this.#ask(op, bytes, (group) => group.commit(txn))
  }

  async *watch(prefix: string, { after, also, signal }: WatchOptions): AsyncIterable<Batch> {
    const prefixes = checkPrefixes(prefix, also)
    checkRevision(after)
    this.#assertOpen({})
    let seen = after
    for (let scanned = 1; !signal.aborted && this.#ended === undefined; scanned++) {
      this.#assertHeld(seen)
      if (seen === this.#table.revision) {
        const next = await this.#watches.next(prefixes, signal)
        if (next === undefined) return
        // What was committed since concerned others; it may be compacted by now.
        seen = next - 1
        continue
      }
      seen++
      const batch = within(this.#table.batch(seen), prefixes)
      if (batch !== undefined) yield batch
      else if (scanned % SCAN_MAX === 0) await turn()
    }
  }

  async grantLease(ttlMs: number, op: Op = {}): Promise<Lease> {
    checkTtl(ttlMs)
    const id = await this.#ask(op, 0, (group) => group.grantLease(ttlMs))
    return this.lease(id)
  }

  lease(id: string): Lease {
    return {
      id,
      renew: async (op = {}) => {
        this.#assertOpen(op)
        if (!this.#timers.renew(id)) throw new FlotillaError('LEASE_ENDED', `lease ${id} has ended`)
      },
      revoke: async (op = {}) => {
        await this.#ask(op, 0, (group) => group.endLease(id))
      },
    }
  }

  async close(): Promise<void> {
    if (this.#ended !== undefined) return
    this.#queue.flush()
    this.#end(new FlotillaError('NOT_READY', 'the store is closed'))
  }

  async #ask<T>(op: Op, bytes: number, run: (group: Group) => T): Promise<T> {
    this.#assertOpen(op)
    return await this.#queue.ask(op, bytes, run)
  }

  #write(requests: readonly Request[]): void {
    const group = new Group(this.#table, this.#timers)
    let answers: readonly (() => void)[]
    try {
      answers = this.#table.transact(() => requests.map((request) => attempt(request, group)))
    } catch (error) {
      for (const request of requests) request.reject(error)
      if (!isError(error, 'DISK_FULL')) this.#fail(error)
      return
    }
    group.settleLeases()
    this.#watches.wake(group.batches)
    for (const answer of answers) answer()
  }

  /** Goes on never again: after a failed sync nobody knows what the disk holds, and trying again would not tell. */
  #fail(cause: unknown): void {
    this.#end(
      new FlotillaError('NOT_READY', 'the store stopped because its disk failed', {
        cause,
        hint: 'Look at the disk and its log, then start again.',
      }),
    )
  }

  #end(why: FlotillaError): void {
    if (this.#ended !== undefined) return
    this.#ended = why
    this.#watches.end()
    this.#timers.close()
    this.#table.close()
  }

  #assertOpen({ signal }: Op): void {
    signal?.throwIfAborted()
    if (this.#ended !== undefined) throw this.#ended
  }

  #assertHeld(seen: number): void {
    const { revision, compacted } = this.#table
    if (seen >= compacted && seen <= revision) return
    throw new FlotillaError('COMPACTED', `revision ${seen} is not among those held, ${compacted} to ${revision}`, {
      hint: 'List again and watch from the revision of the listing.',
    })
  }
}
