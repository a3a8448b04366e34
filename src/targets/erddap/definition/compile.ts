import type { Op } from '../../../core/op.ts'
import type { Problem } from '../../../core/problem.ts'
import type { FileTree, Manifest } from '../../../core/tree.ts'
import type { FragmentCache } from './cache.ts'

export interface CompileInput {
  readonly tree: FileTree
  readonly manifest: Pick<Manifest, 'active' | 'removed'>
  /** What `${node.NAME}` stands for on this node, by NAME, such as `name` and `files`. */
  readonly values: ReadonlyMap<string, string>
  /** Used instead of a template of the tree. `path` is for messages. */
  readonly template?: { readonly path: string; readonly bytes: Uint8Array } | undefined
  /** Makes the second compile read only what changed. */
  readonly cache?: FragmentCache | undefined
}

export interface CompiledDataset {
  readonly id: string
  readonly type: string
  /** As written to the file, overrides applied. */
  readonly active: boolean
  /** Stands for a dataset that an earlier release had: inactive, so that ERDDAP unloads it. */
  readonly tombstone: boolean
  /** Changes exactly when the meaning changes, `active` included. The same as `splitDatasets` finds in the written file. */
  readonly digest: string
  /** The element's bytes as they stand in the compiled file. */
  readonly source: Uint8Array
  /** Where it is defined; for a tombstone the empty string and 0. */
  readonly path: string
  readonly line: number
}

export interface Compiled {
  /** The file in pieces, as `writeAtomic` takes it. */
  readonly chunks: readonly Uint8Array[]
  readonly size: number
  readonly sha256: string
  /** In the order of the file. */
  readonly datasets: readonly CompiledDataset[]
  /** Changes exactly when a setting outside the datasets changes. */
  readonly topDigest: string
  readonly warnings: readonly Problem[]
  /** The fragment's own line behind a line of the compiled file; undefined for lines that Flotilla wrote itself. */
  locate(line: number): { readonly file: string; readonly line: number } | undefined
}

/**
 * Makes ERDDAP's datasets.xml of a tree of fragments. Deterministic: the same input gives the same bytes on every node.
 * Rejects with `PREPARE_FAILED` and the problems when anything is wrong that a check refuses.
 */
export function compile(_input: CompileInput, _op?: Op): Promise<Compiled> {
  throw new Error('not built yet')
}
