import { open } from 'node:fs/promises'
import { createHash } from 'node:crypto'

export interface Fingerprint {
  readonly sha256: string
  /** When the file was last written, by this machine's clock. */
  readonly mtimeMs: number
}

interface Remembered extends Fingerprint {
  readonly signature: string
}

const CHUNK = 1024 * 1024

/**
 * SHA-256 of files that are looked at again and again: read only when size, times or inode differ from the last look.
 * A file that changed less than two seconds before it was read is read again the next time, because on some file
 * systems two changes within that time look alike.
 */
export class Fingerprints {
  readonly #remembered = new Map<string, Remembered>()

  /** Undefined where there is no regular file. */
  async of(path: string, nowMs: number): Promise<Fingerprint | undefined> {
    const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'EISDIR') return undefined
      throw error
    })
    if (handle === undefined) return this.#forget(path)
    try {
      const stat = await handle.stat()
      if (!stat.isFile()) return this.#forget(path)
      const signature = [stat.dev, stat.ino, stat.size, stat.mtimeMs, stat.ctimeMs].join(' ')
      const known = this.#remembered.get(path)
      if (known?.signature === signature) return known
      const fresh = { sha256: await digest(handle), mtimeMs: stat.mtimeMs, signature }
      if (nowMs - stat.mtimeMs > 2000) this.#remembered.set(path, fresh)
      else this.#forget(path)
      return fresh
    } finally {
      await handle.close()
    }
  }

  #forget(path: string): undefined {
    this.#remembered.delete(path)
    return undefined
  }
}

async function digest(handle: { read: (buffer: Buffer) => Promise<{ bytesRead: number }> }): Promise<string> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(CHUNK)
  for (;;) {
    const { bytesRead } = await handle.read(buffer)
    if (bytesRead === 0) return hash.digest('hex')
    hash.update(buffer.subarray(0, bytesRead))
  }
}
