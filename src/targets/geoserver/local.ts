import type { Decision } from '../../core/catalog/three-way.ts'
import type { Op } from '../../core/op.ts'
import type { FileTree } from '../../core/tree.ts'
import type { Catalog, CatalogEntry } from './definition/model.ts'

/** A data directory as it was at one moment: portable form, and the bytes of it. */
export interface CatalogTree extends FileTree {
  readonly catalog: Catalog
}

/** One object or file on which node and release do not agree. */
export interface Difference {
  readonly key: string
  /** Of the node's own, else of the release's. */
  readonly path: string
  readonly decision: Exclude<Decision, { readonly do: 'same' }>
  readonly local: CatalogEntry | undefined
  readonly desired: CatalogEntry | undefined
  /** Digest of what both last agreed on. */
  readonly base: string | undefined
}

/** What one look at a node came to. */
export interface CatalogLook {
  /** The release that it was compared with. */
  readonly release: number
  readonly atMs: number
  readonly tree: CatalogTree
  /** Sorted by key. Those to `propose` are for whoever makes releases; `conflict` and `report` wait for a person. */
  readonly differences: readonly Difference[]
}

/** What was overwritten or deleted here although nobody had released it. Its bytes, in portable form, are held under `sha256`. */
export interface Kept {
  readonly key: string
  readonly path: string
  readonly sha256: string
  readonly atMs: number
  /** The release that went over it. */
  readonly release: number
}

/** What a person says of one difference: it holds for these very versions of both sides, and for no later one. */
export type Verdict = 'adopt' | 'revert'

/**
 * The catalog of one node, for what lies outside of bringing it in step: proposing releases, deciding conflicts. Beside what the
 * target does with releases by itself, which needs none of this.
 */
export interface CatalogNode {
  /** The last look that the target took; undefined before the first, and while nothing was released. */
  look(): CatalogLook | undefined

  /** Yields after each look that came to something else than the one before. */
  looks(signal: AbortSignal): AsyncIterable<CatalogLook>

  /** Looks at the data directory, release or none. Rejects with `SOURCE_VANISHED` where it is not whole. */
  scan(op?: Op): Promise<CatalogTree>

  /** Version and modules of the running GeoServer, for `flotilla-geoserver.json`. Rejects with `UNREACHABLE` and as refused. */
  about(op?: Op): Promise<{ readonly geoserver: string; readonly modules: readonly string[] }>

  /** Decides differences of the last look. Rejects with `NOT_FOUND`, naming the first key that does not differ. Durable when it resolves. */
  decide(keys: readonly string[], verdict: Verdict): Promise<void>

  /**
   * These versions, by key, are about to be offered for a release; undefined for what was deleted. Once a release has one of them, what is
   * here by then was made after it, and is no conflict. Durable when it resolves.
   */
  offered(versions: ReadonlyMap<string, string | undefined>): Promise<void>

  /** What only this node had when it first met releases is as if made now: its policy decides, so on a replica it goes, and is kept. */
  takeOver(): Promise<void>

  /**
   * A person says that all that is gone here by now was deleted on purpose, however much it is. Answers its keys. Rejects with `NOT_FOUND`
   * where nothing is gone, and with `SOURCE_VANISHED` where there is no data directory. Durable when it resolves.
   */
  confirmRemoval(op?: Op): Promise<readonly string[]>

  /** Newest first, at most 1,000. */
  kept(): Promise<readonly Kept[]>
  /** Rejects with `NOT_FOUND`. */
  readKept(sha256: string): Promise<Uint8Array>
}
