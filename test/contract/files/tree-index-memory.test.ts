import { MemoryTree } from '../../helpers/memory-tree.ts'
import { treeIndexContract } from './tree-index.ts'

treeIndexContract('an index of the memory', async () => {
  const index = new MemoryTree()
  return {
    index,
    write: async (key, content, modifiedMs) => index.write(key, content, modifiedMs),
    remove: async (key) => void index.delete(key),
    settled: async () => undefined,
  }
})
