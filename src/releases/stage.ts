import type { Op } from '../core/op.ts'
import type { ObjectReader } from '../core/objects.ts'
import type { Desired } from '../core/release.ts'
import type { FileTree, Manifest } from '../core/tree.ts'
import type { BlobStore } from './blobs.ts'

export interface StageOptions extends Op {
  readonly desired: Pick<Desired, 'manifest'>
  /** Where the blobs are gathered. */
  readonly blobs: BlobStore
  /** Asked in this order for every blob that is missing. */
  readonly sources: readonly ObjectReader[]
  /** Called when something arrived; `total` counts the files' contents, those that were there included. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void
}

/**
 * Gathers every blob of a release on this node. What arrived stays, so a second attempt goes on where the first ended.
 * Rejects with the error of the last source when none has a blob.
 */
export function stageRelease(
  _options: StageOptions,
): Promise<{ readonly manifest: Manifest; readonly tree: FileTree }> {
  throw new Error('not built yet')
}
