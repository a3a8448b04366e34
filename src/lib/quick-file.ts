import { closeSync, constants, fstatSync, fsync, openSync, readSync, writeFileSync, writevSync } from 'node:fs'
import { promisify } from 'node:util'

/*
 * On a local disk the calls that open, read, write and rename a small file take microseconds, while handing each of
 * them to a thread and back takes ten times as long: here they are made in place. Only waiting for the disk is left to a thread.
 */

/** Larger files are read and written piece by piece, so that nothing else has to wait for them. */
export const QUICK_BYTES = 256 * 1024
/** Chunks given to the system at once. */
const GROUP = 512

/** Resolves when the file or directory of that descriptor is durable. */
export const syncDescriptor: (descriptor: number) => Promise<void> = promisify(fsync)

/** Whether a regular file at `path`, and no link, holds exactly these bytes. */
export function holdsNow(path: string, bytes: Uint8Array): boolean {
  let file: number
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch {
    return false
  }
  try {
    const stat = fstatSync(file)
    if (!stat.isFile() || stat.size !== bytes.byteLength) return false
    const found = Buffer.allocUnsafe(bytes.byteLength)
    return readSync(file, found, 0, found.byteLength, 0) === found.byteLength && found.equals(bytes)
  } finally {
    closeSync(file)
  }
}

/** Runs `use` on a new file, written with these chunks; closes it when that ends. */
export async function withNewFile(
  path: string,
  chunks: readonly Uint8Array[],
  mode: number,
  use: (file: number) => Promise<void>,
): Promise<void> {
  const file = openSync(path, 'wx', mode)
  try {
    writeChunks(file, chunks)
    await use(file)
  } finally {
    closeSync(file)
  }
}

export function writeChunks(file: number, chunks: readonly Uint8Array[]): void {
  for (let start = 0; start < chunks.length; start += GROUP) {
    const group = chunks.slice(start, start + GROUP)
    const size = group.reduce((sum, chunk) => sum + chunk.byteLength, 0)
    const written = writevSync(file, group)
    if (written !== size) writeFileSync(file, Buffer.concat(group).subarray(written))
  }
}
