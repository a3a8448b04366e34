import type { Problem } from '../../../core/problem.ts'
import type { PendingRequest } from '../../../core/release.ts'
import type { Sample } from '../../../core/rollout.ts'
import type { FileTree } from '../../../core/tree.ts'
import type { Compiled, CompiledDataset } from '../definition/compile.ts'
import type { Application } from './application.ts'
import type { Fingerprint } from './fingerprints.ts'
import type { Shown } from './info-page.ts'
import type { LoadLog } from './load-log.ts'
import type { Failure, Flagged, FlagKind, NodeState } from './node-state.ts'
import type { Sampled } from './samples.ts'

/** What should be there: one release, compiled for this node. */
export interface Prepared {
  readonly number: number
  readonly compiled: Compiled
  readonly datasets: ReadonlyMap<string, Desired>
  /** SHA-256 by path of the files that travel with the definitions. */
  readonly sideFiles: ReadonlyMap<string, string>
  readonly tree: FileTree
  readonly requests: readonly PendingRequest[]
  readonly samples: readonly Sample[]
  readonly warnings: readonly Problem[]
}

export interface Desired extends CompiledDataset {
  /** Has `<accessibleTo>`: ERDDAP may list it to nobody who is not logged in. */
  readonly restricted: boolean
  /** Side files that it names. Their contents are part of `digest`: ERDDAP reads them as it loads the dataset. */
  readonly files: readonly string[]
}

/** What a change of definition asks of ERDDAP. `new`: it never loaded the dataset, as far as is known. */
export type Effect = 'none' | 'soft' | 'hard' | 'new'

/** What there is, in files and in the running application, at one moment. */
export interface Actual {
  readonly nowMs: number
  readonly state: NodeState
  readonly datasetsXml: Fingerprint | undefined
  /** ERDDAP's currentDatasets.xml: a copy it makes as each load begins, so what it read last. */
  readonly reading: Fingerprint | undefined
  readonly flags: FlagFolders | undefined
  /** Side files on disk, wanted or managed; a path without one is not there. */
  readonly sideFiles: ReadonlyMap<string, Fingerprint>
  readonly application: Application
  readonly log: LoadLog
  /** For active datasets whose definition is not the one that was loaded last. */
  readonly effects: ReadonlyMap<string, Effect>
  /** What ERDDAP shows of the datasets that wait for a proof. */
  readonly shown: ReadonlyMap<string, Shown | 'absent' | 'private' | 'unreachable'>
  /** Absent while they have not been asked: there are none, or something else is not proved yet. */
  readonly sampled?: Sampled | undefined
}

/** The flag folders; undefined as a whole where there is no bigParentDirectory. */
export interface FlagFolders {
  readonly set: Readonly<Record<FlagKind, ReadonlySet<string>>>
  /** When a flag was last set or taken. */
  readonly changedMs: number
}

export type Step =
  | { readonly step: 'learn'; readonly prepared: Prepared; readonly read: string }
  | { readonly step: 'side-files'; readonly prepared: Prepared; readonly paths: readonly string[] }
  | { readonly step: 'write'; readonly prepared: Prepared }
  | { readonly step: 'record'; readonly prepared: Prepared; readonly outcome: Outcome }
  | { readonly step: 'flag'; readonly kind: FlagKind; readonly flags: readonly Flag[]; readonly done: readonly Done[] }
  | { readonly step: 'clear-cache'; readonly ids: readonly string[]; readonly done: readonly Done[] }
  | { readonly step: 'tidy'; readonly paths: readonly string[] }

/** A flag to set: what is noted of it, but for kind and time. */
export interface Flag extends Omit<Flagged, 'kind' | 'atMs'> {
  readonly id: string
}

/** A request that is done with this step. */
export interface Done {
  /** `kind/item`, of a node's own pin with `pin ` before it. */
  readonly request: string
  readonly generation: number
  /** When it was asked for, on the wall clock of the hub. */
  readonly atMs: number
}

/** What became certain. */
export interface Outcome {
  /** Ids that are proved to be served as wanted. */
  readonly served: readonly string[]
  /** Ids that are wanted no more, or off, and proved not to be served: their flags are settled. */
  readonly gone: readonly string[]
  /** Ids that no file and no ERDDAP knows any more. */
  readonly forgotten: readonly string[]
  readonly failed: readonly (readonly [id: string, failure: Failure])[]
  /** How long loads took that are proved now. */
  readonly loads: readonly Load[]
  /** ERDDAP applied the settings outside of datasets. */
  readonly top: boolean
  /** Every item of the release is proved. */
  readonly whole: boolean
  readonly done: readonly Done[]
}

export interface Load {
  readonly id: string
  readonly effect: 'soft' | 'hard'
  readonly ms: number
}
