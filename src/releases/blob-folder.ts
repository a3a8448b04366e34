import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { FlotillaError, messageOf } from '../core/errors.ts'
import { asDiskFull, syncDirectory, TEMPORARY_PREFIX } from '../lib/atomic-file.ts'
import { isSha256 } from '../lib/hash.ts'
import { forEachLimited } from '../lib/limited.ts'
import type { Swept } from './blobs.ts'

/** What a blob is called once its bytes were found to be wrong. */
export const CORRUPT_SUFFIX = '.corrupt'

const PARALLEL = 16
const NAMES = Array.from({ length: 256 }, (_, index) => index.toString(16).padStart(2, '0'))
/** No upload takes longer: a temporary file older than this was left by a crash. */
const LEFT_OVER_MS = 60 * 60_000

/**
 * Makes the 256 folders, removes what a crash left in them, and makes durable what stands there: a process that was
 * killed between a rename and its fsync must not leave a blob that only seems to be safe.
 */
export async function prepareFolders(folder: string, nowMs: number): Promise<void> {
  await onDisk(folder, async () => {
    await mkdir(folder, { recursive: true, mode: 0o750 })
    const present = new Set(await readdir(folder))
    await forEachLimited(NAMES, PARALLEL, async (name) => {
      const path = join(folder, name)
      if (present.has(name)) await removeOld(path, isTemporary, nowMs - LEFT_OVER_MS)
      else await mkdir(path, { recursive: true, mode: 0o750 })
      await syncDirectory(path)
    })
    await syncDirectory(folder)
  })
}

export interface SweepOptions {
  readonly keep: ReadonlySet<string>
  /** What was put or asked for since then stays. */
  readonly beforeMs: number
  readonly signal: AbortSignal | undefined
}

export async function sweepFolders(folder: string, { keep, beforeMs, signal }: SweepOptions): Promise<Swept> {
  let removed = 0
  let bytes = 0
  await onDisk(folder, async () => {
    for (const name of NAMES) {
      signal?.throwIfAborted()
      const path = join(folder, name)
      await removeOld(path, isLeftOver, beforeMs)
      const sizes = await removeOld(path, (file) => isSha256(name + file) && !keep.has(name + file), beforeMs)
      removed += sizes.length
      bytes += sizes.reduce((sum, size) => sum + size, 0)
    }
  })
  return { removed, bytes }
}

/** Removes the files of that kind in `folder` that are older; answers their sizes. */
async function removeOld(folder: string, which: (name: string) => boolean, beforeMs: number): Promise<number[]> {
  const sizes: number[] = []
  await forEachLimited((await readdir(folder)).filter(which), PARALLEL, async (name) => {
    const size = await removeIfOlder(join(folder, name), beforeMs)
    if (size !== undefined) sizes.push(size)
  })
  return sizes
}

/**
 * Removes a file older than `beforeMs`. It is renamed first and its date read again, so that one who asks for it at the
 * same moment either keeps it, because the new date is seen here, or is told that it is gone.
 */
async function removeIfOlder(path: string, beforeMs: number): Promise<number | undefined> {
  const leaving = `${path}${LEAVING_SUFFIX}`
  try {
    if ((await lstat(path)).mtimeMs >= beforeMs) return undefined
    await rename(path, leaving)
    const { mtimeMs, size } = await lstat(leaving)
    if (mtimeMs >= beforeMs) {
      await rename(leaving, path)
      return undefined
    }
    await rm(leaving)
    return size
  } catch (error) {
    // Another sweep of the same folder was quicker.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

const LEAVING_SUFFIX = '.leaving'

function isTemporary(name: string): boolean {
  return name.startsWith(TEMPORARY_PREFIX)
}

function isLeftOver(name: string): boolean {
  return isTemporary(name) || name.endsWith(CORRUPT_SUFFIX) || name.endsWith(LEAVING_SUFFIX)
}

/** Runs calls of the file system on `path`, and turns what they throw into what a `BlobStore` rejects with. */
export async function onDisk<T>(path: string, calls: () => Promise<T>): Promise<T> {
  try {
    return await calls()
  } catch (error) {
    const full = asDiskFull(error, path)
    if (full instanceof FlotillaError || !isSystemError(error)) throw full
    throw new FlotillaError('UNREACHABLE', `the blobs cannot be used: ${messageOf(error)}`, {
      file: path,
      hint: 'Check that the folder is mounted, and that it may be read and written.',
      cause: error,
    })
  }
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error
}
