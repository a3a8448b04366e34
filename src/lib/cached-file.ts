import { closeSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { asChunks, asDiskFull, temporaryName } from './atomic-file.ts'
import { writeChunks } from './quick-file.ts'

/**
 * Puts `content` at `path` for whoever can have it again: a reader, and a kill at any point, sees the old file or the new
 * one, whole; after a power loss it may be the old one, or damaged. Readers therefore check what they read.
 *
 * For a local disk: nothing waits for it here, and the calls are made in place. The directory must exist. Throws
 * `DISK_FULL` when there is no room.
 */
export function writeCached(
  path: string,
  content: Uint8Array | string | readonly Uint8Array[],
  { mode = 0o644 }: { readonly mode?: number } = {},
): void {
  const temporary = join(dirname(path), temporaryName(path))
  try {
    const file = openSync(temporary, 'wx', mode)
    try {
      writeChunks(file, asChunks(content))
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw asDiskFull(error, path)
  }
}
