import type { Op } from '../core/op.ts'
import type { FileTree } from '../core/tree.ts'

/** Where contents are brought: a hub's client, or a `BlobStore` itself. */
export interface BlobSink {
  missing(hashes: readonly string[], op?: Op): Promise<readonly string[]>
  put(hash: string, bytes: Uint8Array, op?: Op): Promise<void>
}

/**
 * Brings the contents that `sink` lacks. Rejects with `CHECK_FAILED` when the tree has errors of its own (see
 * `FileTree.problems`) and with `SOURCE_VANISHED` when a file is no longer what was listed.
 */
export function uploadMissing(_sink: BlobSink, _tree: FileTree, _op?: Op): Promise<{ readonly uploaded: number }> {
  throw new Error('not built yet')
}
