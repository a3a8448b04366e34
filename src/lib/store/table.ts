import type { Batch, Entry } from '../../core/store.ts'

/**
 * Where a `TableStore` keeps its entries, its history and its leases: the part in which engines differ.
 * Every call is synchronous. The changing ones are called only inside `transact`.
 */
export interface Table {
  /** Of the newest commit; 0 when there was none. Moves when `transact` returns. */
  readonly revision: number
  /** The commits up to this revision are no longer held. Moves when `transact` returns. */
  readonly compacted: number

  get(key: string): Entry | undefined
  /** Sorted by key. */
  list(prefix: string): readonly Entry[]
  /** The commit of a revision that is held: after `compacted`, up to `revision`. */
  batch(revision: number): Batch
  /** Sorted. */
  keysOf(leaseId: string): readonly string[]
  leases(): readonly LeaseRecord[]

  /**
   * Runs `work`, whose changes are durable, all of them, when this returns, and undone when it throws.
   * Throws `DISK_FULL` when there is no room and the table goes on as it was. After any other error nothing is sure
   * of the table any more: close it.
   */
  transact<T>(work: () => T): T

  put(entry: Entry): void
  /** False if there was nothing to delete. */
  delete(key: string): boolean
  /** Adds the commit of the next revision to the history, and compacts what is over the limits. */
  append(batch: Batch): void
  addLease(lease: LeaseRecord): void
  removeLease(id: string): void

  close(): void
}

export interface LeaseRecord {
  readonly id: string
  readonly ttlMs: number
}
