import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { posix } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { type FileEntry, folderOf } from '../core/files/entry.ts'
import { removeTree } from '../files/generations/remove-tree.ts'
import { KeyLocks } from '../lib/key-locks.ts'
import { TEMPORARY_PREFIX } from '../lib/atomic-file.ts'
import type { FileCalls } from '../lib/file-calls.ts'
import { type FolderInside, openFileInside, withFolderInside } from '../lib/inside.ts'
import { keyPath } from '../lib/safe-path.ts'
import { fileError } from './faults.ts'
import type { Placed } from './state-rows.ts'
import type { SyncState } from './state.ts'

/** Temporary files of a sync: what is left of them after a crash can be told from those of others. */
export const SYNC_TEMPORARY = `${TEMPORARY_PREFIX}sync-`

const NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
/** Open at once, of the thousand that a process may have. */
const OPEN_MAX = 64
/** After so many, what has arrived is read and more is asked for: whoever sends must not wait until all are written. */
const TURN = 24

export interface PlacesOptions {
  /** Without links. */
  readonly root: string
  readonly calls: FileCalls
  readonly ledger: Ledger
  /** Of the sync: others may put files into the same folder at the same time. */
  readonly mark: string
}

/** Where files go, and what is remembered of them there. */
export interface Ledger {
  /** From the root. Throws `BAD_REQUEST` for a key that is none. */
  readonly pathOf: (key: string) => string
  /** All that `write` notes stays, or nothing; in a little while. */
  readonly transaction: (write: () => void) => void
  /** The file lies in its place. */
  readonly placed: (entry: FileEntry, origin: number, placed: Placed) => void
  /** The time of a folder as it was noted; undefined where it is not known, or not sure. */
  readonly folder: (path: string) => number | undefined
  readonly setFolder: (path: string, modifiedMs: number | undefined) => void
}

/** Files lie where their keys say, and are remembered in the state. */
export function stateLedger(state: SyncState): Ledger {
  return {
    pathOf: keyPath,
    transaction: (write) => state.soon(write),
    placed: (entry, origin, placed) => {
      const path = keyPath(entry.key)
      state.put({ entry, origin, placed, path: path === entry.key ? undefined : path })
      state.done(entry.key)
    },
    folder: (path) => state.folder(path),
    setFolder: (path, modifiedMs) => state.setFolder(path, modifiedMs),
  }
}

/** A file whose bytes are here, whole and verified. */
export interface Ready {
  readonly entry: FileEntry
  /** The source whose ETag the entry has. */
  readonly origin: number
  readonly bytes: Uint8Array
}

interface Written {
  readonly ready: Ready
  /** The file's own, and the one that it was written under. */
  readonly name: string
  readonly written: string
  readonly placed: Placed
}

/** Puts files in their places: nobody sees one before it is whole and durable. */
export class Places {
  readonly #options: PlacesOptions
  readonly #prefix: string
  #lastTemporary = 0
  readonly #locks = new KeyLocks()

  constructor(options: PlacesOptions) {
    this.#options = options
    this.#prefix = `${SYNC_TEMPORARY}${options.mark}-${randomBytes(6).toString('hex')}-`
  }

  get root(): string {
    return this.#options.root
  }

  get mark(): string {
    return this.#options.mark
  }

  /** Where the file of that key goes, from the root. */
  pathOf(key: string): string {
    return this.#options.ledger.pathOf(key)
  }

  /** When it resolves these are visible, durable and remembered, but for those answered, with why. */
  async putAll(files: readonly Ready[]): Promise<ReadonlyMap<Ready, Error>> {
    const failed = new Map<Ready, Error>()
    const byFolder = Map.groupBy(files, ({ entry }) => folderOf(this.pathOf(entry.key)))
    for (const [folder, ready] of byFolder) {
      try {
        await this.#locks.with(folder, async () => {
          if (await this.#putWithFolder(folder, ready)) return
          await this.#inFolder(folder, async (inside) => this.#putInside(inside, ready, failed), true)
        })
      } catch (error) {
        for (const one of ready) if (!failed.has(one)) failed.set(one, fileError(error, posix.join(this.root, folder)))
      }
    }
    return failed
  }

  /**
   * Runs `use` in a folder, which is made where it is missing; `use` answers what is to be remembered then. The time of the folder
   * is remembered with it: a later change by others shows by another time. What others did before is not passed over.
   */
  async inFolder(
    folder: string,
    use: (inside: FolderInside) => Promise<() => void>,
    { make } = { make: true },
  ): Promise<void> {
    // One after the other: what another of ours does meanwhile would look like the work of others.
    await this.#locks.with(folder, async () => this.#inFolder(folder, use, make))
  }

  async #inFolder(folder: string, use: (inside: FolderInside) => Promise<() => void>, make: boolean): Promise<void> {
    const { root, calls, ledger } = this.#options
    await withFolderInside(root, folder, { make, calls }, async (inside) => {
      const before = (await calls.fstat(inside.descriptor)).mtimeMs
      const remember = await use(inside)
      const after = (await calls.fstat(inside.descriptor)).mtimeMs
      const isSure = inside.made.includes(folder) || ledger.folder(folder) === before
      ledger.transaction(() => {
        remember()
        ledger.setFolder(folder, isSure ? after : undefined)
        // What else was done in the folders above at that time is not known.
        for (const made of inside.made) ledger.setFolder(folderOf(made), undefined)
      })
    })
  }

  /**
   * Into a folder that is not there yet, which becomes visible with all that is in it: one renaming instead of one for each file. False
   * where it is there, or this cannot be done for whatever reason: nothing is left of it then.
   */
  async #putWithFolder(folder: string, files: readonly Ready[]): Promise<boolean> {
    const { root, calls, ledger } = this.#options
    if (folder === '' || (await isThere(posix.join(root, folder), calls))) return false
    const temporary = this.#temporary()
    return withFolderInside(root, folderOf(folder), { make: true, calls }, async (above) => {
      const from = `${above.path}/${temporary}`
      const to = `${above.path}/${posix.basename(folder)}`
      await calls.mkdir(from, 0o755)
      let isPlaced = false
      try {
        await withFolderInside(root, posix.join(folderOf(folder), temporary), { calls }, async (inside) => {
          const failed = new Map<Ready, Error>()
          const written = await this.#writeAll(inside, files, failed, (name) => name)
          await this.#syncAll([inside.descriptor])
          // Of an empty folder that somebody makes in this very moment ours takes the place; one with anything in it stays.
          if (failed.size > 0 || (await isThere(to, calls))) return
          await calls.rename(from, to)
          isPlaced = true
          await this.#syncAll([above.descriptor])
          const { mtimeMs } = await calls.fstat(inside.descriptor)
          ledger.transaction(() => {
            this.#rememberAll(written)
            ledger.setFolder(folder, mtimeMs)
            for (const made of [...above.made, folder]) ledger.setFolder(folderOf(made), undefined)
          })
        })
      } catch (error) {
        // The other way tells what is wrong, and with which file.
        if (isPlaced) throw error
      }
      if (!isPlaced) await removeTree(above.path, temporary)
      return isPlaced
    })
  }

  /** Gives the file that is there another time of modification. */
  async touch(entry: FileEntry, origin: number): Promise<void> {
    const { root, calls, ledger } = this.#options
    const path = this.pathOf(entry.key)
    const file = await openFileInside(root, path, calls)
    try {
      await calls.futimes(file, entry.modifiedMs / 1000, entry.modifiedMs / 1000)
      const placed = placedOf(await calls.fstat(file))
      ledger.transaction(() => ledger.placed(entry, origin, placed))
    } catch (error) {
      throw fileError(error, posix.join(root, path))
    } finally {
      await calls.close(file)
    }
  }

  /** Within what `inFolder` remembers: the file lies in its place. */
  remember(entry: FileEntry, origin: number, placed: Placed): void {
    this.#options.ledger.placed(entry, origin, placed)
  }

  async #putInside(inside: FolderInside, files: readonly Ready[], failed: Map<Ready, Error>): Promise<() => void> {
    const { calls } = this.#options
    const done: Written[] = []
    for (const one of await this.#writeAll(inside, files, failed, () => this.#temporary())) {
      try {
        await calls.rename(`${inside.path}/${one.written}`, `${inside.path}/${one.name}`)
        done.push(one)
      } catch (error) {
        failed.set(one.ready, fileError(error, posix.join(this.root, this.pathOf(one.ready.entry.key))))
        await calls.unlink(`${inside.path}/${one.written}`)
      }
    }
    await this.#syncAll([inside.descriptor])
    return () => this.#rememberAll(done)
  }

  #rememberAll(written: readonly Written[]): void {
    for (const { ready, placed } of written) this.remember(ready.entry, ready.origin, placed)
  }

  #temporary(): string {
    return `${this.#prefix}${++this.#lastTemporary}`
  }

  /** Durable, under names that `nameFor` makes of their own. */
  async #writeAll(
    inside: FolderInside,
    files: readonly Ready[],
    failed: Map<Ready, Error>,
    nameFor: (name: string) => string,
  ): Promise<readonly Written[]> {
    const { calls } = this.#options
    const all: Written[] = []
    for (let start = 0; start < files.length; start += OPEN_MAX) {
      const open: number[] = []
      try {
        for (const ready of files.slice(start, start + OPEN_MAX)) {
          const name = posix.basename(this.pathOf(ready.entry.key))
          const written = nameFor(name)
          try {
            const file = await calls.open(`${inside.path}/${written}`, NEW, 0o644)
            open.push(file)
            all.push({ ready, name, written, placed: await this.#write(file, ready) })
            if (all.length % TURN === 0) await setImmediate()
          } catch (error) {
            failed.set(ready, fileError(error, posix.join(this.root, this.pathOf(ready.entry.key))))
            await removeIfThere(`${inside.path}/${written}`, calls)
          }
        }
        await this.#syncAll(open)
      } finally {
        for (const file of open) await calls.close(file)
      }
    }
    return all
  }

  async #write(file: number, { entry, bytes }: Ready): Promise<Placed> {
    const { calls } = this.#options
    for (let start = 0; start < bytes.byteLength;) start += await calls.write(file, bytes.subarray(start), start)
    await calls.futimes(file, entry.modifiedMs / 1000, entry.modifiedMs / 1000)
    return placedOf(await calls.fstat(file))
  }

  async #syncAll(files: readonly number[]): Promise<void> {
    const { calls } = this.#options
    await Promise.all(files.map(async (file) => calls.sync(file)))
  }
}

export function placedOf(stat: { readonly ino: number; readonly size: number; readonly mtimeMs: number }): Placed {
  return { inode: stat.ino, size: stat.size, modifiedMs: stat.mtimeMs }
}

async function isThere(path: string, calls: FileCalls): Promise<boolean> {
  try {
    await calls.lstat(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return false
  }
}

async function removeIfThere(path: string, calls: FileCalls): Promise<void> {
  try {
    await calls.unlink(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
