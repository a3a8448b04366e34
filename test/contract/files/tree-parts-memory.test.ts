import { MemoryParts } from '../../helpers/memory-parts.ts'
import { MemoryTree } from '../../helpers/memory-tree.ts'
import { MemoryTreeFiles } from '../../helpers/memory-tree-files.ts'
import { treePartsContract } from './tree-parts.ts'

const open = async () => {
  const index = new MemoryTree()
  const files = new MemoryTreeFiles(index)
  const parts = new MemoryParts(files)
  const writeIncoming = async (name: string, content: Uint8Array | string) =>
    void parts.incomingFiles.set(name, Buffer.from(content))
  return { index, files, parts, writeIncoming, leftovers: async () => [] }
}
treePartsContract('parts in memory', open, { lasts: false })
