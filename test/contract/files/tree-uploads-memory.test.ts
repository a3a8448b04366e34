import { MemoryTree } from '../../helpers/memory-tree.ts'
import { MemoryTreeFiles } from '../../helpers/memory-tree-files.ts'
import { MemoryUploads } from '../../helpers/memory-uploads.ts'
import { treeUploadsContract } from './tree-uploads.ts'

const open = async () => {
  const index = new MemoryTree()
  const files = new MemoryTreeFiles(index)
  return { files, index, uploads: new MemoryUploads(files) }
}
treeUploadsContract('uploads in memory', open, { lasts: false })
