import type { Operation, Version } from './operation.ts'

/**
 * What a node knows of one tree: the last operation on each key, deletions included. It is the outbox of every child at once: rows
 * have positions that grow with each operation recorded here, a later operation of a key takes the place of the earlier, and a child has
 * what lies up to its cursor. So the outbox is durable, ordered, compacted, and never longer than the tree.
 */
export interface Ledger {
  /** Made with the ledger; another one after its loss. */
  readonly id: string
  /** Of the last row; 0 where there is none. */
  readonly position: number

  /** At the root: the version of the operation that is carried out now, greater than any before. */
  next(): Version

  get(key: string): LedgerRow | undefined

  /**
   * Durable when it resolves; calls of the same time share one sync of the disk. `false` where a row of that key is as new or newer, or a
   * forgotten deletion may have been.
   */
  record(operation: Operation): Promise<boolean>

  /** In the order of their positions. */
  after(position: number, limit: number): readonly LedgerRow[]

  /** Rows of files, not deletions, in the order of keys. */
  page(options: { readonly prefix: string; readonly after: string; readonly limit: number }): readonly LedgerRow[]

  /** Forgets deletions that were recorded before then, but for those after `position`: some child lacks them. Durable. */
  forget(beforeMs: number, position: number): Promise<void>

  close(): Promise<void>
}

/** What only the node itself asks of its ledger, in the same file. */
export interface OwnBook {
  /** The greatest version that was ever recorded or forgotten here; undefined where there was none. */
  readonly newest: Version | undefined

  /**
   * As `record` would see it: above 0 where it is news; 0 where that very operation is recorded; below 0 where a row of that key is
   * newer, or a forgotten deletion may have been.
   */
  compare(key: string, version: Version): number

  /** What `read` asks is answered from one moment, and costs a fraction of asking one by one. Writes nothing. */
  atOnce<T>(read: () => T): T

  /** The SHA-256 of a file that was found in the folder has been computed. Not waited for; nothing happens where the row is another one by now. */
  learn(key: string, version: Version, sha256: string): void

  /** This node is a root that leads from here on: its versions are of that epoch, or of a greater one. Durable when it returns. */
  lead(epoch: number): void

  /** Its id before it began again: what children know it by. */
  readonly was: string | undefined

  /**
   * Forgets every operation, and begins again under a new id: versions that come from here on have nothing to do with those before. Positions go
   * on. Durable.
   */
  restart(): Promise<void>

  /**
   * A file is about to be removed by an operation, or is not after all. A row of its key ends that too. What is still there after a
   * crash tells a removal that has to be finished from one by hand.
   */
  keepLeaving(key: string, isLeaving: boolean): void
  leaving(): readonly string[]

  /** Up to where the changes of the folder are operations; a cursor of `TreeIndex.changes`. */
  adopted(): string | undefined
  /** Not waited for; never outlives the rows that were recorded before. */
  keepAdopted(cursor: string): void
}

export type OpenLedger = Ledger & ChildBook & OwnBook

export type LedgerRow = Operation & {
  readonly position: number
  readonly recordedMs: number
}

/** What a parent knows of its children, in the same file; what is lost of it is sent once more. */
export interface ChildBook {
  child(url: string): ChildRecord | undefined
  /** Not waited for. */
  keep(url: string, record: ChildRecord): void
  forgetChild(url: string): void
  /** Operations that a child could not take, by key, at most `limit` after the key. */
  stuck(url: string, options: { readonly after: string; readonly limit: number }): readonly StuckOperation[]
  keepStuck(url: string, operation: StuckOperation): void
  unstick(url: string, key: string): void
  /** Children that were fed from here, and have newer files from elsewhere now: what this node says is outdated. */
  outdatedBy(): readonly string[]
  /** Durable when it returns. */
  keepOutdated(url: string, isOutdated: boolean): void
  /** Who feeds this node; undefined at a root. */
  parent(): ParentRecord | undefined
  /** Undefined: it is a root from now on. */
  keepParent(parent: ParentRecord | undefined): void
  /** Who fed this node before it became a root; undefined where nobody did, or somebody feeds it again. */
  formerParent(): ParentRecord | undefined
}

export interface ChildRecord {
  /** Of its ledger: another one is another child, that has nothing yet. */
  readonly id: string
  /** It has every row up to there, but for those that are stuck. */
  readonly cursor: number
}

export interface StuckOperation {
  readonly key: string
  readonly position: number
  readonly attempts: number
  readonly error: string
  readonly nextMs: number
}

export interface ParentRecord {
  readonly id: string
  /** For people; without credentials. */
  readonly name: string
  /** The node whose versions these are, or the roots of one cluster together. */
  readonly lineage: string
  /** Ids of ledgers from the root down to the parent. */
  readonly above: readonly string[]
  readonly heardMs: number
}
