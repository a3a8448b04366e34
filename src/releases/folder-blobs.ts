import { createHash } from 'node:crypto'
import { constants, lstatSync, type Stats } from 'node:fs'
import { type FileHandle, lstat, open, readFile, rename, rm, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { blobKey } from '../core/objects.ts'
import type { Op } from '../core/op.ts'
import { temporaryName } from '../lib/atomic-file.ts'
import { writeCached } from '../lib/cached-file.ts'
import { DirectorySync } from '../lib/directory-sync.ts'
import { sha256 } from '../lib/hash.ts'
import { forEachLimited } from '../lib/limited.ts'
import { CORRUPT_SUFFIX, onDisk, prepareFolders, sweepFolders } from './blob-folder.ts'
import { type BlobContent, type BlobStore, checkHash, type PutOptions, type Swept } from './blobs.ts'

const PARALLEL = 16
const CHUNK_BYTES = 256 * 1024
/** Written in one go. */
const SMALL_BYTES = 64 * 1024
/** A blob that is asked for gets a new date when the old one is older than this, so that a sweep sees it is wanted. */
const WANTED_MS = 30 * 60_000
/** Fragments can hold passwords of databases: not for everybody on the machine. */
const MODE = 0o640

export interface FolderBlobsDeps {
  readonly clock: Clock
  /**
   * What lies here can be had again: nothing is synced, so a power loss may take what was put in the last half minute, or
   * damage it, which is noticed when it is read. On a local disk: small files are read and written in place.
   */
  readonly cache?: boolean
}

/** Opens, or makes, the blobs under `folder`: the blob `abcdef…` is the file `ab/cdef…`. */
export async function openFolderBlobs(folder: string, deps: FolderBlobsDeps): Promise<BlobStore> {
  await prepareFolders(folder, deps.clock.nowMs())
  return new FolderBlobs(folder, deps)
}

class FolderBlobs implements BlobStore {
  readonly #folder: string
  readonly #clock: Clock
  readonly #cache: boolean
  readonly #directories = new DirectorySync()

  constructor(folder: string, { clock, cache = false }: FolderBlobsDeps) {
    this.#folder = folder
    this.#clock = clock
    this.#cache = cache
  }

  async sizes(hashes: Iterable<string>, op: Op = {}): Promise<ReadonlyMap<string, number>> {
    const sizes = new Map<string, number>()
    await forEachLimited(new Set(hashes), PARALLEL, async (hash) => {
      op.signal?.throwIfAborted()
      const size = await this.#held(hash)
      if (size !== undefined) sizes.set(hash, size)
    })
    return sizes
  }

  async missing(hashes: Iterable<string>, op: Op = {}): Promise<readonly string[]> {
    const asked = new Set(hashes)
    const held = await this.sizes(asked, op)
    return [...asked].filter((hash) => !held.has(hash))
  }

  async has(hash: string, op: Op = {}): Promise<boolean> {
    return (await this.sizes([hash], op)).size > 0
  }

  async put(hash: string, content: BlobContent, options: PutOptions): Promise<void> {
    options.signal?.throwIfAborted()
    if ((await this.#held(hash)) !== undefined) return
    const path = this.#path(hash)
    if (this.#cache && content instanceof Uint8Array && content.byteLength <= SMALL_BYTES) {
      checkContent(hash, content, options.limitBytes)
      await onDisk(path, async () => writeCached(path, content, { mode: MODE }))
      return
    }
    const temporary = join(dirname(path), temporaryName(path))
    try {
      await this.#writeVerified(temporary, hash, content, options)
      options.signal?.throwIfAborted()
      await onDisk(path, async () => rename(temporary, path))
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
    if (this.#cache) return
    this.#directories.touch(dirname(path))
    if (options.deferred !== true) await onDisk(path, async () => this.#directories.sync(dirname(path)))
  }

  async sync(): Promise<void> {
    await onDisk(this.#folder, async () => this.#directories.syncAll())
  }

  async open(hash: string, options: Op & { readonly offset?: number } = {}): Promise<AsyncIterable<Uint8Array>> {
    const path = this.#path(hash)
    const stat = await this.#stat(path)
    if (stat === undefined) throw this.#notHeld(hash)
    return { [Symbol.asyncIterator]: () => this.#stream(hash, stat.size, options) }
  }

  async read(hash: string, op: Op = {}): Promise<Uint8Array> {
    const path = this.#path(hash)
    op.signal?.throwIfAborted()
    const handle = await this.#openFile(hash, path)
    let bytes: Buffer
    try {
      bytes = await onDisk(path, async () => readFile(handle))
    } finally {
      await handle.close()
    }
    if (sha256(bytes) !== hash) throw await this.#setAside(hash, path)
    return bytes
  }

  async sweep(keep: ReadonlySet<string>, olderThanMs: number, op: Op = {}): Promise<Swept> {
    return sweepFolders(this.#folder, { keep, beforeMs: this.#clock.nowMs() - olderThanMs, signal: op.signal })
  }

  #path(hash: string): string {
    checkHash(hash)
    return join(this.#folder, blobKey(hash))
  }

  /** The size of a blob that is held and durable. */
  async #held(hash: string): Promise<number | undefined> {
    const path = this.#path(hash)
    const stat = await this.#stat(path)
    if (stat === undefined || !(await this.#want(path, stat))) return undefined
    if (!this.#cache) await onDisk(path, async () => this.#directories.sync(dirname(path)))
    return stat.size
  }

  async #stat(path: string): Promise<Stats | undefined> {
    const look = async (): Promise<Stats | undefined> =>
      this.#cache ? lstatSync(path, { throwIfNoEntry: false }) : await lstat(path).catch(unlessAbsent)
    const stat = await onDisk(path, look)
    return stat?.isFile() === true ? stat : undefined
  }

  /** Gives an old blob a new date; answers false when a sweep has just taken it. */
  async #want(path: string, stat: Stats): Promise<boolean> {
    const nowMs = this.#clock.nowMs()
    if (nowMs - stat.mtimeMs <= WANTED_MS) return true
    try {
      await utimes(path, nowMs / 1000, nowMs / 1000)
      return true
    } catch (error) {
      // Where we may not write, we do not sweep either.
      return (error as NodeJS.ErrnoException).code !== 'ENOENT'
    }
  }

  async #writeVerified(path: string, hash: string, content: BlobContent, options: PutOptions): Promise<void> {
    const handle = await onDisk(path, async () => open(path, 'wx', MODE))
    try {
      const digest = createHash('sha256')
      let size = 0
      for await (const chunk of content instanceof Uint8Array ? [content] : content) {
        options.signal?.throwIfAborted()
        size += chunk.byteLength
        if (size > options.limitBytes) throw tooLarge(hash, options.limitBytes)
        digest.update(chunk)
        await onDisk(path, async () => handle.writeFile(chunk))
      }
      if (digest.digest('hex') !== hash) throw otherBytes(hash)
      if (!this.#cache) await onDisk(path, async () => handle.sync())
    } finally {
      await handle.close()
    }
  }

  async *#stream(
    hash: string,
    size: number,
    { signal, offset = 0 }: Op & { readonly offset?: number },
  ): AsyncGenerator<Uint8Array, void> {
    const path = this.#path(hash)
    const handle = await this.#openFile(hash, path)
    try {
      const digest = createHash('sha256')
      for (let position = offset; ;) {
        signal?.throwIfAborted()
        const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(0, size - position) + 1))
        const { bytesRead } = await onDisk(path, async () => handle.read(buffer, 0, buffer.byteLength, position))
        if (bytesRead === 0) break
        position += bytesRead
        const chunk = buffer.subarray(0, bytesRead)
        if (offset === 0) digest.update(chunk)
        yield chunk
      }
      if (offset === 0 && digest.digest('hex') !== hash) throw await this.#setAside(hash, path)
    } finally {
      await handle.close()
    }
  }

  async #openFile(hash: string, path: string): Promise<FileHandle> {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW
    const handle = await onDisk(path, async () => open(path, flags).catch(unlessAbsent))
    if (handle === undefined) throw this.#notHeld(hash)
    return handle
  }

  async #setAside(hash: string, path: string): Promise<FlotillaError> {
    await onDisk(path, async () => rename(path, path + CORRUPT_SUFFIX).catch(unlessAbsent))
    return new FlotillaError('CORRUPT', `blob ${hash} is damaged in ${this.#folder}`, {
      file: path + CORRUPT_SUFFIX,
      hint: 'The damaged file was set aside. A node fetches the blob again by itself; a hub gets it with the next release.',
    })
  }

  #notHeld(hash: string): FlotillaError {
    return new FlotillaError('NOT_FOUND', `blob ${hash} is not in ${this.#folder}`)
  }
}

function checkContent(hash: string, content: Uint8Array, limitBytes: number): void {
  if (content.byteLength > limitBytes) throw tooLarge(hash, limitBytes)
  if (sha256(content) !== hash) throw otherBytes(hash)
}

function otherBytes(hash: string): FlotillaError {
  return new FlotillaError('CORRUPT', `the bytes are not those of blob ${hash}`)
}

function tooLarge(hash: string, limitBytes: number): FlotillaError {
  return new FlotillaError('TOO_LARGE', `the bytes sent for blob ${hash} are more than ${limitBytes}`)
}

function unlessAbsent(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}
