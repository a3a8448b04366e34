import { createHash } from 'node:crypto'
import type { FileEntry } from '../core/files/entry.ts'
import type { FileCalls } from '../lib/file-calls.ts'
import { openFileInside } from '../lib/inside.ts'
import { keyPath } from '../lib/safe-path.ts'

const CHUNK_BYTES = 1024 * 1024

/** Reads the file that lies here, and tells whether it has the hash that the source tells; true where it tells none. */
export function contentCheck(root: string, calls: FileCalls): (entry: FileEntry) => Promise<boolean> {
  return async ({ key, sha256, md5 }) => {
    const expected = sha256 ?? md5
    if (expected === undefined) return true
    const hash = createHash(sha256 === undefined ? 'md5' : 'sha256')
    const file = await openFileInside(root, keyPath(key), calls)
    try {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
      for (let position = 0; ;) {
        const read = await calls.read(file, chunk, position)
        if (read === 0) return hash.digest('hex') === expected
        hash.update(chunk.subarray(0, read))
        position += read
        // Others have their turn in between.
        await new Promise((resolve) => setImmediate(resolve))
      }
    } finally {
      await calls.close(file)
    }
  }
}
