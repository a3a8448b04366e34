import type { Problem } from '../../../core/problem.ts'
import type { PendingRequest } from '../../../core/release.ts'
import type { FileTree } from '../../../core/tree.ts'
import type { Catalog, CatalogEntry } from '../definition/model.ts'
import type { CatalogTree, Difference } from '../local.ts'
import type { Application } from '../rest/about.ts'
import type { NodeState, Owed, Tried } from './node-state.ts'

/** What should be there: one release. */
export interface Prepared {
  readonly number: number
  readonly catalog: Catalog
  /** By key. */
  readonly entries: ReadonlyMap<string, CatalogEntry>
  readonly tree: FileTree
  /** Keys of stores that name parameters of the node (`${…}`): sent over REST these would be encrypted. */
  readonly byFile: ReadonlySet<string>
  readonly requests: readonly PendingRequest[]
  readonly gate: Gate | undefined
  readonly warnings: readonly Problem[]
}

/** What the release says of the GeoServer that it comes from. */
export interface Gate {
  readonly geoserver: string
  readonly modules: readonly string[]
}

/** Who sends clients to this node: no proxy, none just now because it is drained, or some. */
export type Traffic = 'no-proxy' | 'drained' | 'open'

/** What there is, on disk and in the running application, at one moment. */
export interface Actual {
  readonly nowMs: number
  readonly state: NodeState
  readonly tree: CatalogTree
  /** By key. */
  readonly entries: ReadonlyMap<string, CatalogEntry>
  readonly application: Application
  readonly traffic: Traffic
  /** Of what was tried and lies on disk as it should: whether GeoServer says the same of it. Keys that were not asked for are not in it. */
  readonly agrees: ReadonlyMap<string, boolean>
  /** Modules of the release's GeoServer that this one lacks. */
  readonly lacks: readonly string[]
  /** By key, of what is to be changed: the data that it reads and that is not here yet. */
  readonly waits: ReadonlyMap<string, string>
}

export type Step =
  /** The first look at a node: what is the same is agreed on, what differs is kept, what only the node has is noted. */
  | { readonly step: 'meet'; readonly prepared: Prepared; readonly actual: Actual }
  /** Notes what is about to be done, and keeps what will be overwritten; nothing else may come before. */
  | { readonly step: 'begin'; readonly prepared: Prepared; readonly actual: Actual; readonly work: Work }
  | { readonly step: 'change'; readonly prepared: Prepared; readonly actual: Actual; readonly change: Change }
  /** Everything at once on disk, then GeoServer reads it. */
  | {
      readonly step: 'reload'
      readonly prepared: Prepared
      readonly actual: Actual
      readonly changes: readonly Change[]
    }
  /** What placed files ask for: reset, the configuration of tiles, tiles that are out of date, and those of layers to try `again`. */
  | { readonly step: 'settle'; readonly again: readonly string[] }
  | { readonly step: 'record'; readonly outcome: Outcome }

export interface Change {
  readonly key: string
  /** Undefined: it goes. */
  readonly desired: CatalogEntry | undefined
  readonly local: CatalogEntry | undefined
}

export interface Work {
  readonly way: 'live' | 'reload'
  readonly changes: readonly Change[]
  readonly keeps: readonly Difference[]
  readonly owed: Owed
  /** Keys that GeoServer makes besides although no release has them. */
  readonly besides: readonly string[]
  /** Requests that are done with what is owed. */
  readonly done: readonly Done[]
}

/** What became certain. */
export interface Outcome {
  readonly applied: number
  readonly served: number
  /** Node and release agree on these digests; undefined where neither has it any more. */
  readonly agreed: ReadonlyMap<string, string | undefined>
  /** Encrypted values that came with what is proved. */
  readonly ciphers: ReadonlyMap<string, string>
  /** Tried, and proved. */
  readonly proved: readonly string[]
  /** Tried, and something else came of it: its digest, '' for nothing. */
  readonly left: ReadonlyMap<string, string>
  /** Found at the first look, and no longer there or no longer the node's alone; removed, and there again or agreed on. */
  readonly settled: readonly string[]
  readonly failed: ReadonlyMap<string, Pick<Tried, 'desired' | 'problem'>>
  readonly done: readonly Done[]
}

/** A request that is done with this step. */
export interface Done {
  /** `kind/item`, of a node's own pin with `pin ` before it. */
  readonly request: string
  readonly generation: number
  readonly atMs: number
}
