import { type FSWatcher, watch } from 'node:fs'
import { join } from 'node:path'
import { Bell } from '../../../lib/bell.ts'

export interface DirectoryWatchOptions {
  readonly root: string
  /** Whether a change of that path is of no interest. */
  readonly isUnheard: (path: string) => boolean
}

/** The system has a limit of its own for all programs of a user; beyond, changes are found by the regular looks. */
const WATCHES_MAX = 100_000

/** Tells that something may have changed in a data directory, never what: whoever hears it looks at everything. */
export class DirectoryWatch {
  readonly #options: DirectoryWatchOptions
  readonly #watchers = new Map<string, FSWatcher>()
  readonly #bell = new Bell()
  #isStale = false
  #problem: string | undefined

  constructor(options: DirectoryWatchOptions) {
    this.#options = options
  }

  /** Why not every folder is watched. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** Watches these folders and no others. A folder that is new here may have got files before it was watched: that is a change. */
  follow(folders: readonly string[]): void {
    const wanted = new Set(folders)
    for (const [folder, watcher] of this.#watchers) {
      if (wanted.has(folder)) continue
      watcher.close()
      this.#watchers.delete(folder)
    }
    this.#problem = undefined
    const isFirst = this.#watchers.size === 0
    let added = 0
    for (const folder of folders) if (!this.#watchers.has(folder) && this.#add(folder)) added += 1
    if (added > 0 && !isFirst) this.#ring()
  }

  /** Yields after every change, any number before the next look being one. Ends when the signal is aborted. */
  async *changes(signal: AbortSignal): AsyncGenerator<void, void> {
    try {
      while (!signal.aborted) {
        if (!this.#isStale) await this.#bell.rung({ signal }).catch(() => undefined)
        if (signal.aborted) return
        this.#isStale = false
        yield
      }
    } finally {
      this.close()
    }
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  #add(folder: string): boolean {
    if (this.#watchers.size >= WATCHES_MAX) {
      this.#problem = `only ${WATCHES_MAX} folders are watched; changes in others are found later`
      return false
    }
    try {
      const watcher = watch(join(this.#options.root, folder), { persistent: false }, (_, name) => {
        const path = folder === '' ? (name ?? '') : `${folder}/${name ?? ''}`
        if (name === null || !this.#options.isUnheard(path)) this.#ring()
      })
      watcher.on('error', () => {
        this.#watchers.delete(folder)
        watcher.close()
        this.#ring()
      })
      this.#watchers.set(folder, watcher)
      return true
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT' && code !== 'ENOTDIR') {
        this.#problem =
          code === 'ENOSPC' ? 'the limit of the system for watches (fs.inotify.max_user_watches) is reached' : message
      }
      return false
    }
  }

  #ring(): void {
    this.#isStale = true
    this.#bell.ring()
  }
}
