import { lstat, readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { FlotillaError, messageOf } from '../../core/errors.ts'
import type { ObjectInfo, ObjectSource } from '../../core/objects.ts'
import type { Op } from '../../core/op.ts'
import { TEMPORARY_PREFIX } from '../../lib/atomic-file.ts'
import { openInside, Outside } from '../../lib/open-inside.ts'
import { safePath } from '../../lib/safe-path.ts'

const CHUNK_BYTES = 256 * 1024

/** The files under `folder`, such as the blobs on shared storage. Symbolic links are not followed. */
export function folderObjects(folder: string): ObjectSource {
  return new FolderObjects(folder)
}

class FolderObjects implements ObjectSource {
  readonly name: string
  readonly #folder: string

  constructor(folder: string) {
    this.name = `folder ${folder}`
    this.#folder = folder
  }

  async *list({ prefix, signal }: { readonly prefix: string } & Op): AsyncGenerator<ObjectInfo, void> {
    for await (const key of this.#keys('', prefix)) {
      signal?.throwIfAborted()
      const stat = await this.#ask(async () => lstat(join(this.#folder, key)))
      if (stat?.isFile() !== true) continue
      const { size, mtimeMs, ino } = stat
      yield { key, size, modifiedMs: Math.trunc(mtimeMs), etag: `${mtimeMs}-${size}-${ino}` }
    }
  }

  async open(key: string, options: Op & { readonly offset?: number } = {}): Promise<AsyncIterable<Uint8Array>> {
    options.signal?.throwIfAborted()
    const path = join(this.#folder, safePath(key))
    const stat = await this.#ask(async () => lstat(path))
    if (stat?.isFile() !== true) throw this.#notFound(key)
    return { [Symbol.asyncIterator]: () => this.#read(key, stat.size, options) }
  }

  async *#read(
    key: string,
    size: number,
    { signal, offset = 0 }: Op & { readonly offset?: number },
  ): AsyncGenerator<Uint8Array, void> {
    const handle = await this.#ask(async () => {
      const root = await realpath(this.#folder)
      return openInside(root, join(root, key))
    })
    if (handle === undefined) throw this.#notFound(key)
    try {
      for (let position = offset; ;) {
        signal?.throwIfAborted()
        const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(0, size - position) + 1))
        const read = await this.#ask(async () => handle.read(buffer, 0, buffer.byteLength, position))
        if (read === undefined || read.bytesRead === 0) return
        position += read.bytesRead
        yield buffer.subarray(0, read.bytesRead)
      }
    } finally {
      await handle.close()
    }
  }

  /** Keys that start with `prefix`, sorted by code unit; whole folders that cannot hold one are not entered. */
  async *#keys(folder: string, prefix: string): AsyncGenerator<string, void> {
    const entries = await this.#ask(async () => readdir(join(this.#folder, folder), { withFileTypes: true }))
    // The slash takes part in the order: `a-b` comes before `a/b`.
    const keys = (entries ?? []).map((entry) => `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`)
    for (const key of keys.toSorted()) {
      if (!key.startsWith(prefix) && !(key.endsWith('/') && prefix.startsWith(key))) continue
      if (key.slice(folder.length).startsWith(TEMPORARY_PREFIX)) continue
      if (key.endsWith('/')) yield* this.#keys(key, prefix)
      else yield key
    }
  }

  /** Undefined when there is nothing of that name; rejects with `UNREACHABLE` when the folder itself cannot be asked. */
  async #ask<T>(call: () => Promise<T>): Promise<T | undefined> {
    try {
      return await call()
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? ''
      const isAbsent = error instanceof Outside || ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'].includes(code)
      if (isAbsent && (await isFolder(this.#folder))) return undefined
      throw new FlotillaError('UNREACHABLE', `${this.name} cannot be read: ${messageOf(error)}`, {
        file: this.#folder,
        hint: 'Check that the share is mounted and may be read.',
        cause: error,
      })
    }
  }

  #notFound(key: string): FlotillaError {
    return new FlotillaError('NOT_FOUND', `${this.name} has no ${key}`)
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await lstat(await realpath(path))).isDirectory()
  } catch {
    return false
  }
}
