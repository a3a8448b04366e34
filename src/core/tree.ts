import type { Op } from './op.ts'
import type { Problem } from './problem.ts'

/** One file of a tree, by its path relative to the root, forward slashes, no empty, `.` or `..` part. */
export interface TreeFile {
  readonly path: string
  readonly size: number
  /** Lower-case hex SHA-256 of the bytes. */
  readonly sha256: string
}

/** An immutable set of files: a folder as it was scanned, or a release's blobs. */
export interface FileTree {
  /** Sorted by path, by code unit. */
  readonly files: readonly TreeFile[]
  /**
   * What the listing itself found: files that cannot be carried. With an error among them the tree is not whole, and
   * must not become a release. Whoever checks the tree adds them to the findings of its kind.
   */
  readonly problems?: readonly Problem[] | undefined
  /** The bytes of one of `files`. Rejects with `SOURCE_VANISHED` if they are no longer what was listed. */
  read(path: string, op?: Op): Promise<Uint8Array>
}

/** What a release is: content-addressed, so equal manifests are equal releases. Stored as canonical JSON in a blob. */
export interface Manifest {
  readonly format: 1
  /** Which kind of tree checks, compares and applies it: `erddap`. */
  readonly kind: string
  readonly files: readonly TreeFile[]
  /** Datasets switched on or off by an operator, over what their fragment says. */
  readonly active: Readonly<Record<string, boolean>>
  /** Datasets that an earlier release had: kept for a while so that nodes unload them. */
  readonly removed: Readonly<Record<string, Tombstone>>
}

export interface Tombstone {
  readonly type: string
  /** The release that removed it. */
  readonly release: number
}

/** What a tree kind finds in a tree. `items` are the things that are served and proved one by one. */
export interface CheckResult {
  readonly problems: readonly Problem[]
  readonly items: readonly TreeItem[]
}

export interface TreeItem {
  readonly id: string
  readonly type: string
  readonly active: boolean
  /** Where it is defined. */
  readonly path: string
  readonly line: number
  /** Changes exactly when the definition's meaning changes: not with comments, indentation or quoting. */
  readonly digest: string
}

export interface CheckContext {
  readonly active?: Readonly<Record<string, boolean>>
  /** Names that `${node.…}` may use on every node that is known; absent means they are not checked. */
  readonly nodeValues?: ReadonlySet<string> | undefined
  /** The oldest version of the application among the nodes, such as `2.18`; absent means any. */
  readonly version?: string | undefined
}

export type ItemEffect = 'added' | 'removed' | 'soft' | 'hard'

/** How one item differs between two trees, and what applying it will do to the running application. */
export interface ItemChange {
  readonly id: string
  readonly effect: ItemEffect
  readonly path: string
  /** What differs, for people: `title`, `fileDir`, `variable time: units`. */
  readonly details: readonly string[]
}

/** What a release needs to know of the application it is for. Pure over the tree's bytes; caches by digest. */
export interface TreeKind {
  readonly kind: string
  check(tree: FileTree, context: CheckContext, op?: Op): Promise<CheckResult>
  compare(from: FileTree, to: FileTree, op?: Op): Promise<readonly ItemChange[]>
  /** What clients are kept away from while a node changes: the items that differ, or the node as a whole. `items` unless said. */
  readonly drains?: 'items' | 'nodes'
}
