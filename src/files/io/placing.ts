import { readdir } from 'node:fs/promises'
import { posix } from 'node:path'
import { type FileEntry, type FileStat, folderOf } from '../../core/files/entry.ts'
import type { PutResult, RemoveOptions } from '../../core/files/tree-files.ts'
import type { FileFacts, TreeIndex } from '../../core/files/tree-index.ts'
import type { Op } from '../../core/op.ts'
import type { Answer, FileCalls } from '../../lib/file-calls.ts'
import { removeEmptyInside, withFolderInside } from '../../lib/inside.ts'
import { blocked, isAbsent } from './faults.ts'
import { hasSameContent, statOf } from './file-stat.ts'
import { KeyLocks } from '../../lib/key-locks.ts'

/** Folders that we made are remembered, so as to go when they are empty; the oldest are forgotten. */
const MADE_MAX = 100_000

/** A written file that is to become visible: durable, under a temporary name. */
export interface Ready {
  readonly temporary: string
  readonly descriptor: number
  readonly facts: FileFacts
}

/** Under which conditions, and who takes part. */
export type PlaceOptions = RemoveOptions & Op

/** One of several. */
export interface ReadyFile extends Ready {
  readonly key: string
  readonly path: string
  readonly options: PlaceOptions
}

/** Undefined where a condition does not hold. */
type Moved = PromiseSettledResult<FileStat | undefined>

/** What is told of a file when it is opened. */
export interface Known {
  readonly entry: FileEntry
  readonly facts: FileFacts | undefined
}

export interface Tree {
  /** Without links. */
  readonly root: string
  readonly index: TreeIndex
  readonly calls: FileCalls
}

/** Puts files into their places and takes them away, one writer of a key at a time. */
export class Placing {
  readonly #tree: Tree
  readonly #locks = new KeyLocks()
  readonly #made = new Set<string>()
  /** By path: what becomes visible just now. */
  readonly #arriving = new Map<string, { readonly stat: FileStat; readonly facts: FileFacts }>()

  constructor(tree: Tree) {
    this.#tree = tree
  }

  /** Runs `use` in the folder that the file of that path has or will have. When it rejects no folder is left that was made for it. */
  async inFolder<T>(path: string, use: (folder: string, descriptor: number) => Promise<T>): Promise<T> {
    const { root, calls } = this.#tree
    let made: readonly string[] = []
    try {
      return await withFolderInside(root, folderOf(path), { make: true, calls }, async (folder) => {
        made = folder.made
        this.#remember(made)
        return use(folder.path, folder.descriptor)
      })
    } catch (error) {
      await this.#removeEmpty(made.toReversed())
      throw error
    }
  }

  /** Resolves when it is visible and durable, or a condition does not hold. The temporary file is left in the latter case. */
  async put(key: string, path: string, ready: Ready, options: PlaceOptions): Promise<PutResult> {
    const [result] = await this.putAll([{ ...ready, key, path, options }])
    if (result?.status === 'fulfilled') return result.value
    throw result?.reason
  }

  /** As `put` of each, of one folder. Rejects where none can be put. */
  async putAll(files: readonly ReadyFile[]): Promise<readonly PromiseSettledResult<PutResult>[]> {
    const paths = files.map(({ path }) => path)
    const [first = ''] = paths
    const results = await this.#locks.withAll(paths, async () =>
      // Looked for anew: it may have become another while the body came in.
      this.inFolder(first, async (folder, descriptor) => {
        const moved = await Promise.allSettled(files.map(async (file) => this.#moved(folder, file)))
        const isAny = moved.some((one) => one.status === 'fulfilled' && one.value !== undefined)
        const synced = isAny ? this.#tree.calls.sync(descriptor) : undefined
        const noted = await Promise.allSettled(files.map(async (file, at) => this.#noted(file, moved[at], synced)))
        const results = await this.#told(files, noted)
        // One of whom nobody is left made the folder for nothing.
        if (results.every(({ status }) => status === 'rejected')) throw (results[0] as PromiseRejectedResult).reason
        return results
      }).finally(() => paths.forEach((path) => this.#arriving.delete(path))),
    )
    if (results.some((one) => one.status === 'fulfilled' && one.value === 'failed-condition'))
      await this.removeUnused(first)
    return results
  }

  /** It is visible, though not durable yet. Undefined where a condition does not hold. */
  async #moved(folder: string, file: ReadyFile): Promise<FileStat | undefined> {
    const { calls } = this.#tree
    const { key, path, temporary, descriptor, facts, options } = file
    const target = `${folder}/${posix.basename(path)}`
    if (!holds(options, await this.#etag(key, path, target))) return undefined
    options.signal?.throwIfAborted()
    if (!isWanted(options)) return undefined
    this.#arriving.set(path, { stat: statOf(await calls.fstat(descriptor)), facts })
    await calls.rename(temporary, target)
    // Renaming is a change of status: before, it would have been noted of another file.
    return statOf(await calls.fstat(descriptor))
  }

  /** Those that are noted at the same moment share a commit. */
  async #noted(
    { key, facts }: ReadyFile,
    moved: Moved | undefined,
    synced: Answer<void>,
  ): Promise<FileStat | undefined> {
    if (moved?.status === 'rejected') throw moved.reason
    const stat = moved?.value
    if (stat !== undefined) await Promise.all([this.#tree.index.note(key, stat, facts), synced])
    return stat
  }

  /** Whoever takes part is told of what is visible and durable by now. */
  async #told(
    files: readonly ReadyFile[],
    noted: readonly Moved[],
  ): Promise<readonly PromiseSettledResult<PutResult>[]> {
    const { index } = this.#tree
    const entryOf = ({ key }: ReadyFile, one: Moved | undefined): FileEntry | undefined =>
      one?.status === 'fulfilled' && one.value !== undefined ? index.entryOf(key, one.value) : undefined
    const entriesOf = (): readonly (FileEntry | undefined)[] => files.map((file, at) => entryOf(file, noted[at]))
    const entries = files.length === 1 ? entriesOf() : index.atOnce(entriesOf)
    const told = files.map(async ({ options }, at): Promise<PutResult> => {
      const [one, entry] = [noted[at], entries[at]]
      if (one?.status === 'rejected') throw one.reason
      if (entry === undefined) return 'failed-condition'
      await options.turn?.done(entry)
      return { entry }
    })
    return Promise.allSettled(told)
  }

  /** What is known of a file. Of one that has just come it is not in the index yet, but the same from the first moment on. */
  known(key: string, path: string, stat: FileStat): Known {
    const facts = this.#arrivingFacts(path, stat) ?? this.#tree.index.factsOf(key, stat)
    return { entry: this.entryOf(key, path, stat), facts }
  }

  entryOf(key: string, path: string, stat: FileStat): FileEntry {
    const entry = this.#tree.index.entryOf(key, stat)
    const facts = this.#arrivingFacts(path, stat)
    if (facts === undefined) return entry
    return { ...entry, etag: facts.etag ?? entry.etag, md5: facts.md5, sha256: facts.sha256 }
  }

  #arrivingFacts(path: string, stat: FileStat): FileFacts | undefined {
    const arriving = this.#arriving.get(path)
    const isIt = arriving?.stat.inode === stat.inode && hasSameContent(arriving.stat, stat)
    return isIt ? arriving.facts : undefined
  }

  async remove(key: string, path: string, options: PlaceOptions): Promise<'removed' | 'absent' | 'failed-condition'> {
    const result = await this.#locks.with(path, async () => {
      const result = await this.#unlinked(key, path, options)
      if (result !== 'failed-condition') await options.turn?.done(undefined)
      return result
    })
    if (result === 'removed') await this.removeUnused(path)
    return result
  }

  async #unlinked(
    key: string,
    path: string,
    options: PlaceOptions,
  ): Promise<'removed' | 'absent' | 'failed-condition'> {
    const { root, index, calls } = this.#tree
    try {
      return await withFolderInside(root, folderOf(path), { calls }, async (folder) => {
        const target = `${folder.path}/${posix.basename(path)}`
        const stats = await calls.lstat(target)
        if (!stats.isFile()) return absent(options)
        if (!holds(options, index.entryOf(key, statOf(stats)).etag)) return 'failed-condition'
        options.signal?.throwIfAborted()
        if (!isWanted(options)) return 'failed-condition'
        await calls.unlink(target)
        await Promise.all([index.note(key, undefined), calls.sync(folder.descriptor)])
        return 'removed'
      })
    } catch (error) {
      if (!isAbsent(error)) throw error
      return absent(options)
    }
  }

  /** What is there now; rejects with `BAD_REQUEST` where it is no file, and cannot be made room of. */
  async #etag(key: string, path: string, target: string): Promise<string | undefined> {
    const { index, calls } = this.#tree
    try {
      const stats = await calls.find(target)
      if (stats === undefined) return undefined
      if (stats.isFile()) return index.entryOf(key, statOf(stats)).etag
      if (!stats.isDirectory()) throw blocked(key)
    } catch (error) {
      if (!isAbsent(error)) throw error
      return undefined
    }
    await this.#removeEmpty(await this.#emptyBelow(path))
    return undefined
  }

  /** The folder and all below it, the deepest first; none where anything else is below. */
  async #emptyBelow(folder: string): Promise<readonly string[]> {
    const { root, calls } = this.#tree
    const entries = await withFolderInside(root, folder, { calls }, async ({ path }) =>
      readdir(path, { withFileTypes: true }),
    )
    const below: string[] = []
    for (const entry of entries) {
      const empty = entry.isDirectory() ? await this.#emptyBelow(`${folder}/${entry.name}`) : []
      if (empty.length === 0) return []
      below.push(...empty)
    }
    return [...below, folder]
  }

  /** Folders that were made for the file of that path, and have nothing in them. */
  async removeUnused(path: string): Promise<void> {
    await this.#removeEmpty(this.#madeAbove(path))
  }

  #madeAbove(path: string): readonly string[] {
    const made: string[] = []
    for (let folder = folderOf(path); this.#made.has(folder); folder = folderOf(folder)) made.push(folder)
    return made
  }

  #remember(made: readonly string[]): void {
    for (const folder of made) this.#made.add(folder)
    for (const oldest of this.#made) {
      if (this.#made.size <= MADE_MAX) return
      this.#made.delete(oldest)
    }
  }

  async #removeEmpty(folders: readonly string[]): Promise<void> {
    const { root, calls } = this.#tree
    for (const folder of await removeEmptyInside(root, folders, calls)) this.#made.delete(folder)
  }
}

function holds({ ifMatch, ifNoneMatch, turn }: PlaceOptions, here: string | undefined): boolean {
  if (ifMatch === undefined && ifNoneMatch === undefined) return true
  const etag = here ?? turn?.elsewhere?.()
  const matches = (etags: readonly string[]): boolean =>
    etag !== undefined && (etags.includes('*') || etags.includes(etag))
  return (ifMatch === undefined || matches(ifMatch)) && (ifNoneMatch === undefined || !matches(ifNoneMatch))
}

function isWanted({ turn }: PlaceOptions): boolean {
  return turn?.isWanted?.() ?? true
}

function absent(options: PlaceOptions): 'absent' | 'failed-condition' {
  return holds(options, undefined) && isWanted(options) ? 'absent' : 'failed-condition'
}
