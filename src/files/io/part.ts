import { constants } from 'node:fs'
import type { Growing } from '../../core/files/growing.ts'
import type { AppendOptions, Part } from '../../core/files/tree-parts.ts'
import type { PutOptions, PutResult } from '../../core/files/tree-files.ts'
import type { FileFacts } from '../../core/files/tree-index.ts'
import type { Op } from '../../core/op.ts'
import { setModified } from '../../lib/file-calls.ts'
import { withFolderInside } from '../../lib/inside.ts'
import { keyPath } from '../../lib/safe-path.ts'
import { Digests, digestsOf, type DigestsWanted } from './digests.ts'
import { explained } from './faults.ts'
import { GrowingFile } from './growing-file.ts'
import type { PartDigests } from './part-digests.ts'
import { PartHash } from './part-hash.ts'
import { Pouring } from './pouring.ts'
import { factsOf, marked, type Received, verify } from './receive.ts'
import type { FolderFiles } from './tree-files.ts'

export const PART_FLAGS = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK
const PIECE_BYTES = 1024 * 1024
const NO_DIGESTS: PartDigests = { md5: undefined, sha256: undefined }

/** Where a part lies. */
export interface PartPlace {
  /** A folder of the tree. */
  readonly folder: string
  readonly name: string
  readonly descriptor: number
  readonly bytes: number
  /** Nobody could ask for it again. */
  readonly isNameless: boolean
}

/** What has come of a body, in a file of the tree's own file system. */
export class FolderPart implements Part {
  readonly #files: FolderFiles
  readonly #place: PartPlace
  readonly #growing: GrowingFile
  readonly #hash: PartHash
  readonly #onClosed: () => void
  #work: Promise<unknown> | undefined
  #isPlaced = false
  #isWorthless: boolean
  #closed: Promise<void> | undefined

  constructor(files: FolderFiles, place: PartPlace, onClosed: () => void) {
    this.#files = files
    this.#place = place
    this.#growing = new GrowingFile(place.descriptor, files.tree.calls, place.bytes)
    this.#hash = new PartHash(this.#growing, place.name)
    this.#isWorthless = place.isNameless
    this.#onClosed = onClosed
  }

  get bytes(): number {
    return this.#growing.written
  }

  async append(body: AsyncIterable<Uint8Array>, options: AppendOptions & Op = {}): Promise<void> {
    await this.#alone(this.#place.name, async () => this.#appended(body, options))
  }

  follow(key: string): Growing {
    if (this.#closed !== undefined) throw new Error(`the part of ${key} has been closed`)
    return this.#growing.behind(key)
  }

  async place(key: string, options: PutOptions & Op): Promise<PutResult> {
    const path = keyPath(key)
    return this.#alone(key, async () => {
      const received = await this.#checked(key, options)
      const facts = factsOf(received, options)
      this.#growing.end('whole')
      const { descriptor } = this.#place
      const { calls } = this.#files.tree
      if (options.modifiedMs !== undefined) await setModified(descriptor, options.modifiedMs, calls)
      await calls.sync(descriptor)
      const result = await this.#moved(key, path, facts, options)
      this.#isPlaced = result !== 'failed-condition'
      return result
    })
  }

  async close(): Promise<void> {
    this.#closed ??= this.#end()
    await this.#closed
  }

  async remove(): Promise<void> {
    this.#isWorthless = true
    await this.close()
  }

  async #appended(body: AsyncIterable<Uint8Array>, { signal, isOwn }: AppendOptions & Op): Promise<void> {
    let position = this.bytes
    const onWritten = (written: number): void => {
      this.#growing.grow(written)
      this.#hash.follow()
    }
    const pouring = new Pouring(this.#place.descriptor, position, this.#files.tree.calls, { onWritten, isOwn })
    this.#hash.follow()
    try {
      signal?.throwIfAborted()
      for await (const chunk of marked(body)) {
        signal?.throwIfAborted()
        this.#hash.add(chunk, position)
        position += chunk.byteLength
        await pouring.add(chunk)
      }
      await pouring.end()
    } catch (error) {
      // What had come by then stays, as far as it can be written.
      await pouring.end().catch(() => undefined)
      throw error
    } finally {
      this.#hash.cut()
    }
  }

  /** What another program has written goes to the disk while it is read. */
  async #checked(key: string, options: PutOptions & Op): Promise<Received> {
    const { isNameless } = this.#place
    const [received, synced] = await Promise.allSettled([
      this.#verified(key, options),
      isNameless ? this.#synced() : undefined,
    ])
    if (received.status === 'rejected') throw received.reason
    // A disk says only once that it has lost something.
    if (synced.status === 'rejected') throw synced.reason
    return received.value
  }

  async #synced(): Promise<void> {
    await this.#files.tree.calls.sync(this.#place.descriptor)
  }

  /** What is announced or asked for beside the SHA-256 is known only now: the whole is read once more then. */
  async #verified(key: string, options: PutOptions & Op): Promise<Received> {
    const wanted = digestsOf(options)
    const [size, isShort] = [this.bytes, this.bytes < (options.size ?? 0)]
    // Of what has the wrong size nothing else needs to be known.
    const isRight = size === (options.size ?? size)
    const received = { size, ...(isRight ? await this.#digests(wanted, options) : NO_DIGESTS) }
    options.signal?.throwIfAborted()
    try {
      verify(key, received, options)
    } catch (error) {
      this.#isWorthless ||= !isShort
      throw error
    }
    return received
  }

  async #digests(wanted: DigestsWanted, options: PutOptions & Op): Promise<PartDigests> {
    const { isNameless, descriptor } = this.#place
    const { check } = options
    if (isNameless && check === undefined && this.bytes > PIECE_BYTES) {
      return this.#files.hashing.digests(descriptor, this.bytes, wanted)
    }
    return {
      md5: wanted.md5 || check !== undefined ? await this.#reread(wanted.md5, options) : undefined,
      sha256: wanted.sha256 ? await this.#hash.value() : undefined,
    }
  }

  async #reread(md5: boolean, { check, signal }: PutOptions & Op): Promise<string | undefined> {
    const digests = new Digests({ md5, sha256: false })
    for await (const piece of this.#pieces()) {
      signal?.throwIfAborted()
      digests.update(piece)
      check?.(piece)
    }
    check?.(undefined)
    return digests.values().md5
  }

  async #moved(key: string, path: string, facts: FileFacts, options: PutOptions & Op): Promise<PutResult> {
    const { folder, name, descriptor } = this.#place
    const { root, calls } = this.#files.tree
    try {
      return await withFolderInside(root, folder, { calls }, async (own) =>
        this.#files.placing.put(key, path, { temporary: `${own.path}/${name}`, descriptor, facts }, options),
      )
    } catch (error) {
      // The folder it belongs into is another file system.
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
    }
    const { ifMatch, ifNoneMatch, turn, modifiedMs, signal } = options
    const digests = { md5: false, sha256: facts.sha256 !== undefined }
    const copy = { size: this.bytes, modifiedMs, digests, facts: () => facts, ifMatch, ifNoneMatch, turn, signal }
    const result = await this.#files.put(key, this.#pieces(), copy)
    this.#isWorthless ||= result !== 'failed-condition'
    return result
  }

  async *#pieces(): AsyncGenerator<Uint8Array, void> {
    for (let position = 0; position < this.bytes;) {
      const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, this.bytes - position))
      const read = await this.#growing.read(this.#place.name, piece, position)
      position += read
      yield piece.subarray(0, read)
    }
  }

  /** One thing at a time, and none after the end. */
  async #alone<T>(name: string, work: () => Promise<T>): Promise<T> {
    if (this.#work !== undefined || this.#closed !== undefined || this.#isPlaced)
      throw new Error(`the part of ${name} is in use, or at its end`)
    const running = work()
    this.#work = running
    try {
      return await running
    } catch (error) {
      throw explained(error, name)
    } finally {
      this.#work = undefined
    }
  }

  async #end(): Promise<void> {
    await this.#work?.catch(() => undefined)
    this.#hash.stop()
    const { root, calls } = this.#files.tree
    const { folder, name } = this.#place
    try {
      if (!this.#isPlaced) this.#growing.end('failed')
      if (this.#isWorthless)
        await withFolderInside(root, folder, { calls }, async ({ path }) => calls.unlink(`${path}/${name}`))
    } catch {
      // It has its place, or is swept.
    } finally {
      await this.#growing.letGo()
      this.#onClosed()
    }
  }
}
