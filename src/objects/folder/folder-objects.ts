import { lstat, readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { FlotillaError } from '../../core/errors.ts'
import type { ObjectInfo, ObjectSource } from '../../core/objects.ts'
import type { Op } from '../../core/op.ts'
import { TEMPORARY_PREFIX } from '../../lib/atomic-file.ts'
import { openInside } from '../../lib/open-inside.ts'
import { safePath } from '../../lib/safe-path.ts'
import { askFolder } from './ask-folder.ts'

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

  async #ask<T>(call: () => Promise<T>): Promise<T | undefined> {
    return await askFolder(this.#folder, call)
  }

  #notFound(key: string): FlotillaError {
    return new FlotillaError('NOT_FOUND', `${this.name} has no ${key}`)
  }
}
