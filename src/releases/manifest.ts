import type { FileTree, Manifest } from '../core/tree.ts'
import type { BlobStore } from './blobs.ts'

/** The manifest as canonical JSON: sorted keys, no spaces. */
export function encodeManifest(_manifest: Manifest): Uint8Array {
  throw new Error('not built yet')
}

/** Throws `CORRUPT` unless `bytes` are the canonical form of a manifest within every limit. */
export function parseManifest(_bytes: Uint8Array): Manifest {
  throw new Error('not built yet')
}

/** The files of a manifest, read from `blobs` and verified: reading rejects with `NOT_FOUND` or `CORRUPT` as they do. */
export function manifestTree(_manifest: Pick<Manifest, 'files'>, _blobs: BlobStore): FileTree {
  throw new Error('not built yet')
}
