import { realpath } from 'node:fs/promises'
import type { Clock } from '../../../core/clock.ts'
import type { Op } from '../../../core/op.ts'
import type { Problem } from '../../../core/problem.ts'
import type { FileTree, TreeFile } from '../../../core/tree.ts'
import { forEachLimited } from '../../../lib/limited.ts'
import { assemble } from '../definition/assemble.ts'
import type { CatalogEntry } from '../definition/model.ts'
import { onDisk, withOverlay } from '../definition/on-disk.ts'
import type { PortableFile } from '../definition/portable.ts'
import type { Overlay } from '../definition/overlay.ts'
import type { CatalogTree } from '../local.ts'
import { isLeftOut, isUnheard } from './left-out.ts'
import { ownBytes, placeFile, removeFile } from './place.ts'
import { Scanner } from './scan.ts'
import { vanished, type Walked, walk } from './walk.ts'
import { DirectoryWatch } from './watch.ts'

export interface DataDirectoryOptions {
  readonly path: string
  readonly overlay: Overlay
  readonly clock: Clock
}

/** What an entry is to become here. */
export interface Placed {
  /** Undefined: it goes. */
  readonly desired: CatalogEntry | undefined
  readonly local: CatalogEntry | undefined
}

const AT_ONCE = 8

/** A data directory on this machine, in portable form. Keeps what it read: only what was written since is read again. */
export class DataDirectory {
  readonly root: string
  readonly #options: DataDirectoryOptions
  readonly #watch: DirectoryWatch
  #scanner: Scanner | undefined
  #last: CatalogTree | undefined
  /** That were entered at the last look. */
  #folders: ReadonlySet<string> = new Set()
  /** One look at a time: two would read the same files. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: DataDirectoryOptions) {
    this.#options = options
    this.root = options.path
    this.#watch = new DirectoryWatch({ root: options.path, isUnheard })
  }

  /** Answers the directory as it stands; the same object while nothing changed. Rejects with `SOURCE_VANISHED`. */
  async scan(op: Op = {}): Promise<CatalogTree> {
    const before = this.#turn
    const look = (async () => {
      await before.catch(() => undefined)
      return await this.#scan(op)
    })()
    this.#turn = look.catch(() => undefined)
    return await look
  }

  /**
   * Puts the files of these entries where they belong, and takes those away that go. An object keeps the id it has here, and what the overlay
   * leaves to the node. Durable when it resolves; a crash before leaves some of them.
   */
  async placeAll(changes: readonly Placed[], release: FileTree, op: Op): Promise<void> {
    const scanner = this.#scanner
    if (scanner === undefined) throw vanished(this.root, 'was not looked at yet')
    const { root } = scanner
    // Only objects have ids: most that is placed is none, and there may be many.
    let ids: ReadonlyMap<string, string> | undefined
    const idOf = (key: string): string | undefined => {
      ids ??= new Map([...scanner.ids].map(([id, of]) => [of, id]))
      return ids.get(key)
    }
    const { overlay } = this.#options
    await forEachLimited(changes, AT_ONCE, async ({ desired, local }) => {
      op.signal?.throwIfAborted()
      const before = local && (scanner.placeOf(local.key) ?? local.path)
      let after: string | undefined
      if (desired !== undefined) {
        const own = before === undefined ? undefined : await ownBytes(root, before)
        const bytes = await release.read(desired.path, op)
        const file = onDisk(desired, bytes, { idOf, overlay, own })
        after = file.path
        await placeFile(root, after, file.bytes, op)
      }
      if (before !== undefined && before !== after) await removeFile(root, before)
    })
  }

  /** What one entry is at this moment, which may be something else than at the last look; undefined where it is gone. */
  now({ key, path }: CatalogEntry): PortableFile | undefined {
    return this.#scanner?.now(this.#scanner.placeOf(key) ?? path)
  }

  /** Portable bytes of a release with what belongs to the node, as the entry that is there has it. */
  async withOwn(
    { desired, local }: Placed & { readonly desired: CatalogEntry },
    bytes: Uint8Array,
  ): Promise<Uint8Array> {
    const scanner = this.#scanner
    if (scanner === undefined || local === undefined) return bytes
    const own = await ownBytes(scanner.root, scanner.placeOf(local.key) ?? local.path)
    return own === undefined ? bytes : withOverlay(desired.path, bytes, own, this.#options.overlay)
  }

  /** Yields whenever something may have changed, once a look has told which folders there are. */
  changes(signal: AbortSignal): AsyncGenerator<void, void> {
    return this.#watch.changes(signal)
  }

  /** What counted at the last look counts again: a name is judged once. */
  #isLeftOut(path: string, isFolder: boolean): boolean {
    if (isFolder ? this.#folders.has(path) : this.#scanner?.known.has(path)) return false
    return isLeftOut(path, isFolder)
  }

  async #scan(op: Op): Promise<CatalogTree> {
    const root = await realpath(this.root).catch((error: unknown) => {
      throw vanished(this.root, 'is not there', error)
    })
    const walked = await walk({ root, isLeftOut: (path, isFolder) => this.#isLeftOut(path, isFolder) }, op)
    this.#folders = new Set(walked.folders)
    // Of a data directory that GeoServer ever started on this is the one file that is always there.
    if (!walked.files.has('global.xml'))
      throw vanished(this.root, 'has no global.xml: it is no data directory of GeoServer')
    const isSame = this.#scanner?.root === root
    const scanner = isSame && this.#scanner !== undefined ? this.#scanner : new Scanner({ ...this.#options, root })
    this.#scanner = scanner
    const isChange = await scanner.update(walked.files, op)
    this.#watch.follow(walked.folders)
    if (!isChange && isSame && this.#last !== undefined) return this.#last
    this.#last = treeOf(scanner, walked)
    return this.#last
  }
}

function treeOf(scanner: Scanner, { problems: found }: Walked): CatalogTree {
  const problems: Problem[] = [...found]
  const entries: CatalogEntry[] = []
  const places = new Map<string, string>()
  for (const [path, { entry, problem }] of scanner.known) {
    if (problem !== undefined) problems.push(problem)
    if (entry === undefined) continue
    entries.push(entry)
    places.set(entry.path, path)
  }
  const catalog = assemble(entries, problems)
  const hashes = new Map<string, string>()
  const files = [...catalog.entries.values()].map(({ path, size, sha256 }): TreeFile => {
    hashes.set(path, sha256)
    return { path, size, sha256 }
  })
  return {
    files,
    catalog,
    problems: catalog.problems,
    read: async (path) => await Promise.resolve(scanner.portable(path, places.get(path), hashes.get(path))),
  }
}
