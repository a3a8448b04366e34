import { createHash } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, read, readSync, type Stats } from 'node:fs'
import { promisify } from 'node:util'
import { QUICK_BYTES } from '../../../lib/quick-file.ts'

export interface Fingerprint {
  readonly sha256: string
  /** When the file was last written, by this machine's clock. */
  readonly mtimeMs: number
}

interface Remembered extends Fingerprint {
  readonly signature: string
}

const CHUNK = 1024 * 1024
/** On some file systems two changes within this time look alike. */
const GRAIN_MS = 2000

/**
 * SHA-256 of files that are looked at again and again: read only when size, times or inode differ from the last look, or
 * when the file had only just changed then.
 */
export class Fingerprints {
  readonly #remembered = new Map<string, Remembered>()

  /** Undefined where there is no regular file. */
  async of(path: string, nowMs: number): Promise<Fingerprint | undefined> {
    const fresh = await withFile(path, async (handle, stat): Promise<Remembered> => {
      const signature = [stat.dev, stat.ino, stat.size, stat.mtimeMs, stat.ctimeMs].join(' ')
      const known = this.#remembered.get(path)
      if (known?.signature === signature) return known
      return { sha256: await digest(handle, stat), mtimeMs: stat.mtimeMs, signature }
    })
    if (fresh !== undefined && nowMs - fresh.mtimeMs > GRAIN_MS) this.#remembered.set(path, fresh)
    else this.#remembered.delete(path)
    return fresh
  }
}

/** SHA-256 of a file of any size; undefined where there is no regular file. */
export async function digestOf(path: string): Promise<string | undefined> {
  return await withFile(path, digest)
}

/** What `use` makes of a regular file, by its descriptor; undefined where there is none. */
export async function withFile<T>(
  path: string,
  use: (file: number, stat: Stats) => T | Promise<T>,
): Promise<T | undefined> {
  const file = openFile(path)
  if (file === undefined) return undefined
  try {
    const stat = fstatSync(file)
    return stat.isFile() ? await use(file, stat) : undefined
  } finally {
    closeSync(file)
  }
}

function openFile(path: string): number | undefined {
  try {
    // Without O_NONBLOCK, opening a pipe would wait for somebody to write into it.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}

const readLater = promisify(read)

async function digest(file: number, { size }: Stats): Promise<string> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(Math.min(Math.max(size, 1), CHUNK))
  for (;;) {
    const bytesRead =
      size <= QUICK_BYTES
        ? readSync(file, buffer)
        : (await readLater(file, buffer, 0, buffer.byteLength, null)).bytesRead
    if (bytesRead === 0) return hash.digest('hex')
    hash.update(buffer.subarray(0, bytesRead))
  }
}
