import { constants } from 'node:fs'
import { realpath } from 'node:fs/promises'
import type { Clock } from '../../core/clock.ts'
import { FlotillaError } from '../../core/errors.ts'
import type { FileEntry, FileStat } from '../../core/files/entry.ts'
import type {
  GivenFile,
  OpenedFile,
  PutOptions,
  PutResult,
  PutTogether,
  RemoveOptions,
  TreeFiles,
  WantedFile,
} from '../../core/files/tree-files.ts'
import type { TreeIndex } from '../../core/files/tree-index.ts'
import type { Logger } from '../../core/log.ts'
import type { Op } from '../../core/op.ts'
import { callsFor, setModified } from '../../lib/file-calls.ts'
import { openFileInside } from '../../lib/inside.ts'
import { QUICK_BYTES } from '../../lib/quick-file.ts'
import { isKey, keyPath } from '../../lib/safe-path.ts'
import { Buffers } from './buffers.ts'
import { explained, isAbsent } from './faults.ts'
import { hasSameContent, statOf } from './file-stat.ts'
import { gather } from './gather.ts'
import { GrowingFile } from './growing-file.ts'
import { type Known, Placing, type Tree } from './placing.ts'
import { putAll, removed } from './put-all.ts'
import { changed, LongFile, WholeFile } from './reading.ts'
import { factsOf, receive } from './receive.ts'
import { SmallCache } from './small-cache.ts'
import { PartHashing } from './part-digests.ts'
import { sweepAgain, sweepTemporaries, temporaryPutName } from './temporaries.ts'

/** Small files that are held whole while they are sent; beyond, they are read piece by piece like large ones. */
const WHOLE_TOTAL = 32 * 1024 * 1024
const ATTEMPTS = 5
const NEW_FILE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

export interface TreeFilesOptions {
  readonly root: string
  readonly index: TreeIndex
  readonly clock: Clock
  readonly log: Logger
}

/**
 * The files of a folder. Small ones are read in place, into one buffer, and those asked for often are kept; large ones piece by piece.
 * Rejects with `NOT_FOUND` where there is no such folder. Looks for temporary files of an earlier life in the background.
 */
export async function openTreeFiles({ root, index, clock, log }: TreeFilesOptions): Promise<FolderFiles> {
  const real = await realpath(root).catch((error: unknown) => {
    throw new FlotillaError('NOT_FOUND', `there is no folder ${root}`, { file: root, cause: error })
  })
  const files = new FolderFiles({ root: real, index, calls: await callsFor(real) }, clock)
  files.sweep(log)
  return files
}

export class FolderFiles implements TreeFiles, PutTogether {
  readonly tree: Tree
  readonly #clock: Clock
  readonly placing: Placing
  /** For what is there before it is asked for. */
  readonly hashing = new PartHashing()
  readonly #cache = new SmallCache()
  readonly #buffers = new Buffers()
  readonly #stopped = new AbortController()
  /** Resolves when the temporary files of an earlier life are gone. */
  swept: Promise<void> = Promise.resolve()
  #sweptAgain: Promise<void> = Promise.resolve()
  #wholeBytes = 0

  constructor(tree: Tree, clock: Clock) {
    this.tree = tree
    this.#clock = clock
    this.placing = new Placing(tree)
  }

  async open(key: string, { signal }: Op = {}): Promise<OpenedFile | undefined> {
    signal?.throwIfAborted()
    if (!isKey(key)) return undefined
    const path = keyPath(key)
    return (this.#cache.has(path) ? await this.#cached(key, path) : undefined) ?? this.#opened(key, path)
  }

  async gather(wanted: readonly WantedFile[]): Promise<readonly (FileEntry | undefined)[]> {
    return gather(this.tree, this.placing, wanted)
  }

  async put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions & Op): Promise<PutResult> {
    const path = keyPath(key)
    try {
      const result = await this.placing.inFolder(path, async (folder) =>
        this.#written(folder, key, path, body, options),
      )
      if (result === 'failed-condition') await this.placing.removeUnused(path)
      return result
    } catch (error) {
      throw explained(error, key)
    }
  }

  async putAll(files: readonly GivenFile[], op: Op = {}): Promise<readonly PromiseSettledResult<PutResult>[]> {
    op.signal?.throwIfAborted()
    const [small, large] = [files.filter(isQuick), files.filter((file) => !isQuick(file))]
    const others = Promise.allSettled(
      large.map(async ({ key, bytes, options }) => this.put(key, one(bytes), { ...options, ...op })),
    )
    const results = [await putAll(this.tree, this.placing, small, op), await others].flat()
    const settled = new Map([...small, ...large].map((file, index) => [file, results[index]]))
    return files.map((file) => settled.get(file) as PromiseSettledResult<PutResult>)
  }

  async remove(key: string, options: RemoveOptions & Op = {}): Promise<'removed' | 'absent' | 'failed-condition'> {
    options.signal?.throwIfAborted()
    if (!isKey(key)) return 'absent'
    try {
      return await this.placing.remove(key, keyPath(key), options)
    } catch (error) {
      throw explained(error, key)
    }
  }

  /** Removes in the background what was left of bodies that never came to their end. */
  sweep(log: Logger): void {
    const { root, calls } = this.tree
    const sweep = { root, calls, clock: this.#clock, log, signal: this.#stopped.signal }
    const first = sweepTemporaries(sweep)
    this.swept = first.then(() => undefined)
    this.#sweptAgain = first.then(async (young) => sweepAgain(sweep, young))
  }

  /** Ends what goes on in the background. */
  async close(): Promise<void> {
    this.#stopped.abort()
    await this.hashing.close()
    await this.#sweptAgain
  }

  /** The same file as it was read before needs no opening. */
  async #cached(key: string, path: string): Promise<OpenedFile | undefined> {
    const { root, index, calls } = this.tree
    try {
      const stat = statOf(await calls.lstat(`${root}/${path}`))
      const kept = this.#cache.get(path, stat)
      if (kept === undefined) return undefined
      if (kept.known === undefined || kept.version !== index.version) {
        kept.version = index.version
        kept.known = this.placing.known(key, path, stat)
      }
      return new WholeFile(kept.known, kept.bytes)
    } catch {
      return undefined
    }
  }

  async #opened(key: string, path: string): Promise<OpenedFile | undefined> {
    const { root, calls } = this.tree
    let file: number
    try {
      file = await openFileInside(root, path, calls)
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw explained(error, key)
    }
    let isKept = false
    try {
      const stats = await calls.fstat(file)
      if (!stats.isFile()) return undefined
      const stat = statOf(stats)
      if (stat.size <= QUICK_BYTES && this.#wholeBytes + stat.size <= WHOLE_TOTAL)
        return await this.#whole(key, path, file, stat)
      isKept = true
      return new LongFile(this.placing.known(key, path, stat), file, stat, this.tree, this.#buffers)
    } finally {
      if (!isKept) await calls.close(file)
    }
  }

  async #whole(key: string, path: string, file: number, first: FileStat): Promise<OpenedFile> {
    const { calls } = this.tree
    let stat = first
    for (let attempt = 1; attempt <= ATTEMPTS && stat.size <= QUICK_BYTES; attempt++) {
      const bytes = Buffer.allocUnsafeSlow(stat.size)
      const read = stat.size === 0 ? 0 : await calls.read(file, bytes, 0)
      const before = stat
      stat = statOf(await calls.fstat(file))
      if (read !== before.size || !hasSameContent(before, stat)) continue
      this.#cache.set(path, stat, bytes, this.#clock.nowMs())
      return this.#held(this.placing.known(key, path, stat), bytes)
    }
    throw changed(key)
  }

  #held(known: Known, bytes: Buffer): OpenedFile {
    const size = bytes.byteLength
    this.#wholeBytes += size
    return new WholeFile(known, bytes, () => {
      this.#wholeBytes -= size
    })
  }

  /** Takes the body into a temporary file of the folder, and from there to its place. */
  async #written(
    folder: string,
    key: string,
    path: string,
    body: AsyncIterable<Uint8Array>,
    options: PutOptions & Op,
  ): Promise<PutResult> {
    const { calls } = this.tree
    const temporary = `${folder}/${temporaryPutName()}`
    const descriptor = await calls.open(temporary, NEW_FILE, 0o644)
    const growing = options.follow && new GrowingFile(descriptor, calls)
    let isPlaced = false
    try {
      const received = await receive(key, body, options, { file: descriptor, position: 0, calls, growing })
      const facts = factsOf(received, options)
      growing?.end('whole')
      if (options.modifiedMs !== undefined) await setModified(descriptor, options.modifiedMs, calls)
      await calls.sync(descriptor)
      const result = await this.placing.put(key, path, { temporary, descriptor, facts }, options)
      isPlaced = result !== 'failed-condition'
      return result
    } finally {
      if (!isPlaced) growing?.end('failed')
      await (growing?.letGo() ?? calls.close(descriptor))
      if (!isPlaced) await removed(temporary, calls)
    }
  }
}

function isQuick({ bytes }: GivenFile): boolean {
  return bytes.byteLength <= QUICK_BYTES
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes
}
