import { MemoryTree } from '../../helpers/memory-tree.ts'
import { MemoryTreeFiles } from '../../helpers/memory-tree-files.ts'
import { treeFilesContract } from './tree-files.ts'

treeFilesContract('files of the memory', async () => {
  const index = new MemoryTree()
  return {
    files: new MemoryTreeFiles(index),
    index,
    write: async (key, content, modifiedMs) => void index.write(key, content, modifiedMs),
    remove: async (key) => void index.delete(key),
    leftovers: async () => [],
  }
})
