import type { Op } from './op.ts'

/**
 * A revisioned key-value store: the only truth in the cluster.
 *
 * Every successful `commit` moves the store to exactly one new revision; revisions start at 1 and have no gaps.
 * Reads are linearizable. A commit that was answered is durable. Keys sort by code unit.
 * A key is 1 to 512 characters of printable ASCII; a value is a string of at most 1 MiB in UTF-8; a transaction
 * holds at most 1,000 changes. What is over a limit is refused with `TOO_LARGE`, a malformed key with `BAD_REQUEST`.
 */
export interface Store {
  get(key: string, op?: Op): Promise<Entry | undefined>

  /** All entries under `prefix`, sorted by key, and the revision they were read at: pass it to `watch` to miss nothing. */
  list(prefix: string, op?: Op): Promise<Listing>

  /**
   * Applies `changes` if every expectation holds, all or nothing.
   * A lost race is an answer, not an error: `committed: false` names the first key that differed.
   * No key may occur twice in `changes`. Deleting an absent key is no error, and still makes a revision.
   * A put with a lease that has ended rejects with `LEASE_ENDED`.
   */
  commit(txn: Txn, op?: Op): Promise<Commit>

  /**
   * Yields the changes under `prefix`, one batch per commit that touched it, in revision order, no gaps, no repeats.
   * Starts with the first commit after revision `after`. Ends when `signal` aborts. Throws `COMPACTED` if `after` is
   * no longer held, and if it is ahead of the store: list again. Throws `UNREACHABLE` when a remote store goes away;
   * watching on from the last revision seen misses nothing.
   */
  watch(prefix: string, options: WatchOptions): AsyncIterable<Batch>

  /**
   * Keys committed with this lease vanish, as one ordinary commit, once it is not renewed for `ttlMs`
   * (1 s to 1 h). Never sooner: after a restart every lease starts its time anew.
   */
  grantLease(ttlMs: number, op?: Op): Promise<Lease>

  close(): Promise<void>
}

export interface WatchOptions {
  readonly after: number
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

/** Everything one commit did under the watched prefix: apply it whole or not at all. */
export interface Batch {
  readonly revision: number
  readonly changes: readonly Change[]
}

export type Change = { readonly op: 'put'; readonly entry: Entry } | { readonly op: 'delete'; readonly key: string }

export interface Lease {
  readonly id: string
  /** Throws `LEASE_ENDED` when it is too late. */
  renew(op?: Op): Promise<void>
  /** Ends it now; its keys vanish as one commit. Revoking an ended lease is no error. */
  revoke(op?: Op): Promise<void>
}

export const STORE_LIMITS = {
  keyLength: 512,
  valueBytes: 1024 * 1024,
  changes: 1000,
  leaseMinMs: 1000,
  leaseMaxMs: 3_600_000,
} as const
