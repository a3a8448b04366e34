import { statSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { folderOf } from '../../core/files/entry.ts'
import type { Folder } from './folder.ts'
import type { Sight } from './sight.ts'

/** Other file systems below one tree; what is beyond is not remembered. */
const PLACES_MAX = 1000

/**
 * Remembers which folders file systems were mounted at, and the root. A share that is not mounted leaves an empty folder behind, which
 * must not be taken for one whose files were all removed.
 */
export class Places {
  readonly #database: DatabaseSync
  readonly #known = new Map<string, string>()

  constructor(database: DatabaseSync) {
    this.#database = database
    for (const { path, identity } of database.prepare('SELECT path, identity FROM places').all()) {
      this.#known.set(String(path), String(identity))
    }
  }

  /** Before a scan: those that are gone altogether were taken away on purpose. */
  prune(sight: Sight): void {
    for (const path of this.#known.keys()) {
      if (path !== '' && identity(sight, path) === undefined) this.#forget(path)
    }
  }

  /**
   * Whether what a folder shows can be believed; `above`: the device of the folder it lies in, where that is known. Remembers it if it
   * can, and something is mounted there.
   */
  believes(path: string, folder: Folder, above: number | undefined, isEmpty: boolean): boolean {
    const now = `${folder.device}:${folder.inode}`
    const known = this.#known.get(path)
    if (known === now) return true
    if (known !== undefined && isEmpty) return false
    if (path === '' || (above !== undefined && folder.device !== above)) this.#remember(path, now)
    else if (known !== undefined && above !== undefined) this.#forget(path)
    return true
  }

  /** The one that a path lies in. */
  over(path: string): string {
    if (this.#known.size > 1) {
      for (let at = path; at !== ''; at = folderOf(at)) if (this.#known.has(at)) return at
    }
    return ''
  }

  /** Whether what was mounted there still is: only then is a file gone that is not found. */
  stands(place: string, sight: Sight): boolean {
    return this.#known.get(place) === identity(sight, place)
  }

  get paths(): readonly string[] {
    return [...this.#known.keys()]
  }

  #remember(path: string, now: string): void {
    if (!this.#known.has(path) && this.#known.size >= PLACES_MAX) return
    this.#known.set(path, now)
    this.#database.prepare('INSERT OR REPLACE INTO places (path, identity) VALUES (?, ?)').run(path, now)
  }

  #forget(path: string): void {
    this.#known.delete(path)
    this.#database.prepare('DELETE FROM places WHERE path = ?').run(path)
  }
}

function identity(sight: Sight, path: string): string | undefined {
  try {
    const { dev, ino } = statSync(sight.absolute(sight.real(path)))
    return `${dev}:${ino}`
  } catch (error) {
    // What cannot be reached is not gone.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : `${folderOf(path)}?`
  }
}
