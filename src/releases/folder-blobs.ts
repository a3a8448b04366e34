import type { Clock } from '../core/clock.ts'
import type { BlobStore } from './blobs.ts'

/** Opens, or makes, the blobs under `folder`: the blob `abcdef…` is the file `ab/cdef…`. */
export function openFolderBlobs(_folder: string, _deps: { readonly clock: Clock }): Promise<BlobStore> {
  throw new Error('not built yet')
}
