import type { ObjectSource } from '../../core/objects.ts'

/** The files under `folder`, such as the blobs on shared storage. */
export function folderObjects(_folder: string): ObjectSource {
  throw new Error('not built yet')
}
