import type { TreeUploads } from '../../core/files/tree-uploads.ts'
import type { ServedTree } from '../options.ts'

/** Where uploads of a tree are kept. */
export interface UploadPlace {
  /** As they were asked for. */
  readonly bucket: string
  readonly shownKey: string
  readonly tree: ServedTree
  readonly uploads: TreeUploads
  /** Of the file within the tree. */
  readonly key: string
}
