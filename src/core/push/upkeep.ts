import type { Op } from '../op.ts'
import type { Difference } from './buckets.ts'
import type { ChildView } from './distribution.ts'

/**
 * What people ask of a node about the children of a tree, below `PEER_PATH` at `trees/<tree>/`:
 *
 * - `GET children`: JSON `TreeChildren`. `GET missing?child=&after=`: JSON `MissingPage`. Who may read the tree may ask.
 * - `POST repair?child=&prefix=&dry=1&take=1`: lines of JSON, each a `RepairCounted`, then a line for each difference that is named.
 * - `POST provision?child=`: lines of JSON, each a `Provisioned`; goes on when nobody listens any more. For these two one has to be
 *   allowed to write the whole tree.
 */
export interface Upkeep {
  /** Compares with a child now; undefined where there is no such child. Rejects as the child does. */
  repair(child: string, wish: RepairWish): Promise<RepairReport | undefined>

  /** Offers everything to a child again, from the start; undefined where there is no such child. Ends when it is in step. */
  provision(child: string, op: Op): AsyncIterable<Provisioned> | undefined
}

export interface TreeChildren {
  readonly tree: string
  /** Who feeds the tree, where somebody does. */
  readonly fedBy?: string | undefined
  /** As of `Distribution`. */
  readonly outdatedBy?: string | undefined
  readonly children: readonly ChildView[]
}

export interface MissingPage {
  readonly files: readonly MissingLine[]
  /** Go on from here; absent where that is all. */
  readonly next?: string
}

export interface MissingLine {
  readonly key: string
  /** Undefined: it is to be deleted there. */
  readonly size: number | undefined
  readonly recordedMs: number
  readonly error?: string | undefined
}

export interface RepairWish extends Op {
  readonly prefix: string
  /** Otherwise only told. */
  readonly isRepair: boolean
  /** What the child has of an operation that is newer than what is known here is taken back from it: this node has lost it. */
  readonly isTakingBack?: boolean | undefined
  readonly onProgress?: ((counted: RepairCounted) => void) | undefined
}

export interface RepairCounted {
  /** Buckets of keys that differed, and how many of them were looked into so far. */
  readonly buckets: number
  readonly looked: number
  readonly missing: number
  readonly other: number
  /** Only the child has them; those that were deleted here among them are deleted there. */
  readonly extra: number
  /** Only the child has them since they were removed from the folder here, which is no deletion. Nothing is wrong with that. */
  readonly dropped: number
  /** Sent again, or on their way anyway. */
  readonly repaired: number
  /** Of those that are `extra` or `other`: taken back from the child. */
  readonly taken: number
}

export interface RepairReport extends RepairCounted {
  /** The first of those that differ. */
  readonly named: readonly Difference[]
}

export interface Provisioned {
  readonly state: ChildView['state']
  /** What is left. */
  readonly behind: ChildView['behind']
  /** Bytes of contents that were sent since it began: what was there already did not travel. */
  readonly sentBytes: number
  readonly stuck: number
  readonly error?: string | undefined
  readonly etaMs?: number | undefined
}
