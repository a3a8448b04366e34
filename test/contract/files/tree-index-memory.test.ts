import { MemoryTree } from '../../helpers/memory-tree.ts'
import { treeIndexContract } from './tree-index.ts'

const open = async () => {
  const index = new MemoryTree()
  return {
    index,
    write: async (key: string, content: string | Uint8Array, modifiedMs?: number) =>
      index.write(key, content, modifiedMs),
    remove: async (key: string) => void index.delete(key),
    settled: async () => undefined,
  }
}
treeIndexContract('an index of the memory', open, { lasts: false })
