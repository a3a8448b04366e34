import { type FSWatcher, watch } from 'node:fs'
import { posix } from 'node:path'
import { folderOf } from '../../core/files/entry.ts'
import { TEMPORARY_PREFIX } from '../../lib/atomic-file.ts'
import { isHidden } from './folder.ts'

interface Watched {
  readonly watcher: FSWatcher
  readonly children: Set<string>
}

export interface WatchesOptions {
  /** Folders that are watched at most; the system has a limit of its own for all programs of a user. */
  readonly max: number
  /** Something happened to what is called so. `isOurs`: beside files of ours on their way to their places. */
  readonly onEvent: (path: string, isOurs: boolean) => void
}

/** Asks the system to tell what happens in each of many folders. Paths are relative to the root of the tree. */
export class Watches {
  readonly #options: WatchesOptions
  readonly #watched = new Map<string, Watched>()
  /** The folder in which one of our temporary files came or went, until the events that came together are over. */
  #lastOurs: string | undefined
  #problem: string | undefined

  constructor(options: WatchesOptions) {
    this.#options = options
  }

  /** Why not all of them are watched. */
  get problem(): string | undefined {
    return this.#problem
  }

  forgetProblem(): void {
    this.#problem = undefined
  }

  /** What comes from here on did not come together with what came before. */
  pause(): void {
    this.#lastOurs = undefined
  }

  has(path: string): boolean {
    return this.#watched.has(path)
  }

  add(path: string, absolute: string): void {
    if (this.#watched.has(path)) return
    if (this.#watched.size >= this.#options.max) {
      this.#problem = `only ${this.#options.max} folders are watched; the others are looked at from time to time`
      return
    }
    try {
      const name = posix.basename(absolute)
      const watcher = watch(absolute, { persistent: false }, (_, child) => this.#heard(path, child ?? name, name))
      watcher.on('error', () => this.remove(path))
      this.#watched.set(path, { watcher, children: new Set() })
      if (path !== '') this.#watched.get(folderOf(path))?.children.add(path)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') return
      this.#problem =
        code === 'ENOSPC' ? 'the limit of the system for watches (fs.inotify.max_user_watches) is reached' : message
    }
  }

  /** With all that is watched below. */
  remove(path: string): void {
    const watched = this.#watched.get(path)
    if (watched === undefined) return
    this.#watched.delete(path)
    watched.watcher.close()
    if (path !== '') this.#watched.get(folderOf(path))?.children.delete(path)
    for (const child of watched.children) this.remove(child)
  }

  #heard(path: string, child: string, own: string): void {
    // Told of the folder itself, it was removed, moved or unmounted: what is in its place now is not watched.
    if (child === own) {
      this.remove(path)
      this.#options.onEvent(path, false)
    }
    if (child.startsWith(TEMPORARY_PREFIX)) this.#lastOurs = path
    if (isHidden(child)) return
    this.#options.onEvent(path === '' ? child : `${path}/${child}`, this.#lastOurs === path)
  }

  close(): void {
    for (const { watcher } of this.#watched.values()) watcher.close()
    this.#watched.clear()
    this.#problem = undefined
  }
}
