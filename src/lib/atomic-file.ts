import { randomBytes } from 'node:crypto'
import { closeSync, constants, openSync, type PathLike, renameSync, rmSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { FlotillaError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import { holdsNow, QUICK_BYTES, syncDescriptor, withNewFile } from './quick-file.ts'

export type Written = 'changed' | 'unchanged'

/** Temporary names start with this, so that scanners and cleaners know them. */
export const TEMPORARY_PREFIX = '.flotilla-tmp-'

/**
 * Puts `content` at `path` so that a reader, and a crash at any point, sees the old file or the new one, whole.
 * Compares first: equal bytes are left untouched. The directory must exist.
 * Rejects with `DISK_FULL` when there is no room; the old file is then still there.
 */
export async function writeAtomic(
  path: string,
  content: Uint8Array | string | readonly Uint8Array[],
  options: Op & { readonly mode?: number } = {},
): Promise<Written> {
  const chunks = asChunks(content)
  const isSmall = sizeOf(chunks) <= QUICK_BYTES
  if (isSmall ? holdsNow(path, Buffer.concat(chunks)) : await holds(path, chunks)) return 'unchanged'
  const temporary = join(dirname(path), temporaryName(path))
  try {
    const { mode = 0o644 } = options
    if (isSmall) await withNewFile(temporary, chunks, mode, syncDescriptor)
    else await writeSynced(temporary, chunks, mode)
    options.signal?.throwIfAborted()
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw asDiskFull(error, path)
  }
  await syncDirectory(dirname(path))
  return 'changed'
}

export function asChunks(content: Uint8Array | string | readonly Uint8Array[]): readonly Uint8Array[] {
  if (typeof content === 'string') return [Buffer.from(content)]
  return content instanceof Uint8Array ? [content] : content
}

/** Characters of a file's own name in its temporary one: at most three bytes each, of the 255 that a name may have. */
const OWN_CHARS = 64

/** A new name beside `path` each time, that says for what. */
export function temporaryName(path: string): string {
  return `${TEMPORARY_PREFIX}${basename(path).slice(0, OWN_CHARS)}-${randomBytes(6).toString('hex')}`
}

/** Makes a rename, creation or removal in `directory` survive a power loss. */
export async function syncDirectory(directory: PathLike): Promise<void> {
  const descriptor = openSync(directory, constants.O_RDONLY)
  try {
    await syncDescriptor(descriptor)
  } catch (error) {
    // Some network file systems cannot sync a directory; there the server decides when names are durable.
    const code = (error as NodeJS.ErrnoException).code
    if (code !== 'EINVAL' && code !== 'ENOTSUP') throw error
  } finally {
    closeSync(descriptor)
  }
}

/** Turns ENOSPC and EDQUOT into the error that says so; returns anything else as it was. */
export function asDiskFull(error: unknown, path: string): unknown {
  const code = (error as NodeJS.ErrnoException).code
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error
  return new FlotillaError('DISK_FULL', `no room to write ${path}`, {
    file: path,
    hint: 'Free some space; it is tried again by itself.',
    cause: error,
  })
}

function sizeOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0)
}

async function writeSynced(path: string, chunks: readonly Uint8Array[], mode: number): Promise<void> {
  const handle = await open(path, 'wx', mode)
  try {
    await writeAll(handle, chunks)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function writeAll(handle: FileHandle, chunks: readonly Uint8Array[]): Promise<void> {
  const GROUP = 512
  for (let start = 0; start < chunks.length; start += GROUP) {
    const group = chunks.slice(start, start + GROUP)
    const size = sizeOf(group)
    const { bytesWritten } = await handle.writev(group)
    if (bytesWritten !== size) await handle.writeFile(Buffer.concat(group).subarray(bytesWritten))
  }
}

const WINDOW_BYTES = 1024 * 1024

/** Whether the file holds exactly these bytes. Reads it through a small window: it may be large, and mostly is equal. */
async function holds(path: string, chunks: readonly Uint8Array[]): Promise<boolean> {
  let handle: FileHandle
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch {
    return false
  }
  try {
    const size = sizeOf(chunks)
    const stat = await handle.stat()
    return stat.isFile() && stat.size === size && (await startsWith(handle, chunks))
  } finally {
    await handle.close()
  }
}

async function startsWith(handle: FileHandle, chunks: readonly Uint8Array[]): Promise<boolean> {
  const size = sizeOf(chunks)
  const window = Buffer.allocUnsafe(Math.min(size, WINDOW_BYTES))
  let read = 0
  let compared = 0
  for (const chunk of chunks) {
    for (let done = 0; done < chunk.byteLength;) {
      if (compared === read) {
        ;({ bytesRead: read } = await handle.read(window))
        compared = 0
        if (read === 0) return false
      }
      const length = Math.min(read - compared, chunk.byteLength - done)
      if (window.compare(chunk, done, done + length, compared, compared + length) !== 0) return false
      compared += length
      done += length
    }
  }
  return true
}
