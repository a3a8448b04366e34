import type { Stats } from 'node:fs'
import { join } from 'node:path'
import { type FoundFile, isSame, vanished } from './scan-file.ts'
import type { Walk } from './scan-walk.ts'

/** Files whose times lie this close to the moment they were read may change once more and keep the same times. */
const GRANULARITY_MS = 2000

/** What was learnt of a folder by one scan, for the next. */
export class ScanCache {
  #hashes = new Map<string, { readonly stat: Stats; readonly sha256: string }>()
  #folders: ReadonlyMap<string, Stats> = new Map()

  /** The hash of a file that was not written since it was read. */
  find({ path, stat }: FoundFile): string | undefined {
    const known = this.#hashes.get(path)
    return known !== undefined && isSame(known.stat, stat) ? known.sha256 : undefined
  }

  /** Shares tell times in steps of up to 2 s: a file that was written just before it was read must be read again. */
  remember({ path, stat }: FoundFile, sha256: string, readMs: number): void {
    const isOld = [stat.mtimeMs, stat.ctimeMs].every((time) => Math.abs(readMs - time) > GRANULARITY_MS)
    if (isOld) this.#hashes.set(path, { stat, sha256 })
    else this.#hashes.delete(path)
  }

  /** Throws `SOURCE_VANISHED` when a folder that was a file system of its own is now an empty mount point. */
  refuseUnmounted(source: string, walk: Walk): void {
    const unmounted = walk.empty.find((folder) => {
      const before = this.#folders.get(folder)
      return before !== undefined && before.dev !== walk.folders.get(folder)?.dev
    })
    if (unmounted !== undefined) throw vanished(join(source, unmounted), 'was another file system and is now empty')
  }

  /** Forgets what is no longer there. */
  keep(walk: Walk): void {
    const present = new Set(walk.files.map(({ path }) => path))
    for (const path of this.#hashes.keys()) if (!present.has(path)) this.#hashes.delete(path)
    this.#folders = walk.folders
  }
}
