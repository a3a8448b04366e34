import { createHash } from 'node:crypto'
import type { Stats } from 'node:fs'
import { FlotillaError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import { openInside, Outside } from '../lib/open-inside.ts'

const CHUNK_BYTES = 1024 * 1024

/** Thrown when what is read is not what was listed a moment before: somebody is changing the folder, or it is gone. */
export class Changing extends Error {
  readonly path: string

  constructor(path: string) {
    super(`${path} is changing`)
    this.path = path
  }
}

/** Why a file or folder cannot be read although it is there: no permission, a broken disk. */
export class Unreadable extends Error {}

/** A regular file as it was listed. */
export interface FoundFile {
  /** Relative to the root, forward slashes. */
  readonly path: string
  /** Without symbolic links. */
  readonly absolute: string
  readonly stat: Stats
}

/** Whether nothing was written between the two: same file, same size, same times. */
export function isSame(a: Stats, b: Stats): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.size === b.size && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs
}

/**
 * Feeds the bytes of a file to `take`; answers their SHA-256. Throws `Changing` unless they are those that were listed,
 * and `Unreadable`.
 */
export async function readFound(
  root: string,
  { path, absolute, stat }: FoundFile,
  take: (chunk: Uint8Array) => void,
  { signal }: Op,
): Promise<string> {
  return await orChanging(path, async () => {
    const handle = await openInside(root, absolute)
    try {
      const digest = createHash('sha256')
      for (let size = 0; size <= stat.size;) {
        signal?.throwIfAborted()
        // Not from the pool: these bytes may be kept for long, and would keep the rest of a pooled block with them.
        const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, stat.size - size + 1))
        const { bytesRead } = await handle.read(buffer, 0, buffer.byteLength)
        if (bytesRead === 0) break
        size += bytesRead
        const chunk = buffer.subarray(0, bytesRead)
        digest.update(chunk)
        take(chunk)
        if (size === stat.size) break
      }
      if (!isSame(await handle.stat(), stat)) throw new Changing(path)
      return digest.digest('hex')
    } finally {
      await handle.close()
    }
  })
}

/** What the system answers when a file or a mount is gone, or is no longer what it was when it was listed. */
const GONE: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ESTALE', 'ENOTCONN', 'EHOSTDOWN', 'ENODEV'])

/** Runs calls of the file system on what was listed as `path`, and tells what is gone from what cannot be read. */
export async function orChanging<T>(path: string, calls: () => Promise<T>): Promise<T> {
  try {
    return await calls()
  } catch (error) {
    if (error instanceof Outside) throw new Unreadable('it was moved out of the source folder', { cause: error })
    if (!(error instanceof Error && 'syscall' in error)) throw error
    const { code = '' } = error as NodeJS.ErrnoException
    throw GONE.has(code) ? new Changing(path) : new Unreadable(code, { cause: error })
  }
}

export function vanished(what: string, how: string, cause?: unknown): FlotillaError {
  return new FlotillaError('SOURCE_VANISHED', `${what} ${how}`, {
    file: what,
    hint: 'Check the path, that the share is mounted, and that nobody is changing the files just now.',
    cause,
  })
}
