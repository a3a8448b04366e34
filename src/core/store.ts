import type { Op } from './op.ts'

/**
 * A revisioned key-value store: the only truth in the cluster.
 *
 * Every successful `commit` moves the store to exactly one new revision, higher than all before it; a store that nothing
 * was committed to is at revision 0 or, where an engine is shared, at any. A revision belongs to one commit.
 * Reads are linearizable. A commit that was answered is durable. Keys sort by code unit.
 * A key is 1 to 512 characters of ASCII from `!` to `~`; a prefix is the same or empty; a value is well-formed Unicode
 * of at most 1 MiB in UTF-8; a transaction holds at most 1,000 expectations, 1,000 changes and 4 MiB of values.
 * What is over a limit is refused with `TOO_LARGE`, what is malformed with `BAD_REQUEST`, and what exceeds the waiting
 * line of a busy store with `RATE_LIMITED`; in each case nothing was changed.
 *
 * An operation whose signal is aborted before it took effect has no effect and rejects with the signal's reason.
 * When the caller aborts a remote operation that is under way, it may have taken effect, but then whole.
 */
export interface Store {
  get(key: string, op?: Op): Promise<Entry | undefined>

  /**
   * All entries whose key starts with `prefix`, character by character (`a` lists `ab` too), sorted by key, and the
   * revision they were read at: pass it to `watch` to miss nothing.
   */
  list(prefix: string, op?: Op): Promise<Listing>

  /**
   * Applies `changes` if every expectation holds, all or nothing.
   * A lost race is an answer, not an error: `committed: false` names the first expectation that differed.
   * No key may occur twice in `changes`. Deleting an absent key is no error and changes nothing, and a transaction may
   * have no changes: each still makes a revision.
   * A put gives the key the lease it names, or none: a key put again without a lease leaves its lease.
   * A put with a lease that has ended rejects with `LEASE_ENDED`, whether the expectations hold or not.
   * Rejects with `DISK_FULL` when there is no room; the store stays as it was and goes on.
   */
  commit(txn: Txn, op?: Op): Promise<Commit>

  /**
   * Yields what was changed under `prefix`, and under those of `also`, one batch per commit that changed something there,
   * in revision order, none left out, none twice. Starts with the first commit after revision `after`. Ends when `signal` aborts or the store is
   * closed. Throws `COMPACTED` if a commit after `after` is no longer held, and if `after` is ahead of the store: list
   * again. Throws `UNREACHABLE` when a remote store goes away; watching on from the last revision seen misses nothing.
   * A slow reader costs no memory: it falls behind until its place is compacted.
   */
  watch(prefix: string, options: WatchOptions): AsyncIterable<Batch>

  /**
   * Keys committed with this lease vanish, as one ordinary commit, once it is not renewed for `ttlMs`
   * (1 s to 1 h). Never sooner: after a restart every lease starts its time anew. A lease without keys ends without a
   * commit. A store holds at most 10,000 leases and refuses more with `TOO_LARGE`.
   */
  grantLease(ttlMs: number, op?: Op): Promise<Lease>

  /**
   * The lease with that id, wherever and whenever it was granted: a hub renews by it what a node holds, also after a
   * restart. Asks nothing; an id that is not known is a lease that has ended.
   */
  lease(id: string): Lease

  /**
   * Ends every watch. An operation under way is finished or rejects; every later one rejects with `NOT_READY`.
   * Closing again does nothing.
   */
  close(): Promise<void>
}

export interface WatchOptions {
  readonly after: number
  /** More prefixes, at most 7: whoever needs several in one order cannot get it from several watches. */
  readonly also?: readonly string[] | undefined
  readonly signal: AbortSignal
}

export interface Listing {
  readonly entries: readonly Entry[]
  readonly revision: number
}

export interface Entry {
  readonly key: string
  readonly value: string
  /** The revision that last wrote this key. */
  readonly revision: number
  /** The lease it vanishes with. Whoever knows the id may put more keys under the lease. */
  readonly leaseId?: string
}

export interface Txn {
  /** `revision: 0` expects the key to be absent. */
  readonly expect?: readonly Expectation[]
  readonly changes: readonly Write[]
}

export interface Expectation {
  readonly key: string
  readonly revision: number
}

export type Write =
  | { readonly op: 'put'; readonly key: string; readonly value: string; readonly leaseId?: string }
  | { readonly op: 'delete'; readonly key: string }

export type Commit =
  | { readonly committed: true; readonly revision: number }
  | { readonly committed: false; readonly key: string; readonly actual: number }

/** Everything one commit changed under the watched prefix: apply it whole or not at all. A key occurs once. */
export interface Batch {
  readonly revision: number
  readonly changes: readonly Change[]
}

export type Change = { readonly op: 'put'; readonly entry: Entry } | { readonly op: 'delete'; readonly key: string }

export interface Lease {
  /** Cannot be guessed. */
  readonly id: string
  /** Starts its time anew. Rejects with `LEASE_ENDED` when it is too late. */
  renew(op?: Op): Promise<void>
  /** Ends it now; its keys vanish as one commit. Revoking an ended lease is no error. */
  revoke(op?: Op): Promise<void>
}

export const STORE_LIMITS = {
  keyLength: 512,
  valueBytes: 1024 * 1024,
  changes: 1000,
  expectations: 1000,
  txnBytes: 4 * 1024 * 1024,
  leaseMinMs: 1000,
  leaseMaxMs: 3_600_000,
  leases: 10_000,
  prefixes: 8,
} as const
