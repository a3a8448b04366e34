import type { Stats } from 'node:fs'
import { posix } from 'node:path'
import { micros } from '../../core/files/etag.ts'
import type { FileCalls } from '../../lib/file-calls.ts'
import { withFolderInside } from '../../lib/inside.ts'
import { Outside } from '../../lib/open-inside.ts'
import { removeTree } from './remove-tree.ts'

/** What the system says where there is no such file, or it cannot have another name there. */
const REFUSED: ReadonlySet<string> = new Set([
  'ENOENT',
  'ENOTDIR',
  'ELOOP',
  'EXDEV',
  'EMLINK',
  'EPERM',
  'ENOTSUP',
  'EOPNOTSUPP',
])

/** What a file must still be for it to be taken over. */
export interface Expected {
  readonly size: number
  readonly modifiedMs: number
}

/** A generation that is being written. Nobody sees it before it is sealed and flipped to. */
export class Staging {
  /** Write the files below here, durably; from the root of the tree. */
  readonly folder: string
  /** Whether there is something in it from an earlier life. */
  readonly isResumed: boolean
  readonly #root: string
  readonly #calls: FileCalls
  /** What is visible: what can be taken over comes from there. */
  readonly #from: string

  constructor(
    root: string,
    calls: FileCalls,
    paths: { readonly folder: string; readonly from: string },
    isResumed: boolean,
  ) {
    this.#root = root
    this.#calls = calls
    this.folder = paths.folder
    this.#from = paths.from
    this.isResumed = isResumed
  }

  /**
   * Takes over a file of what is visible now, by its path in the group, as another name of the same file: costs no room. Whatever has
   * that name in the staged generation is replaced. Answers false where there is no such file, it is another than expected, or the file
   * system has no hard links: write it then.
   */
  async take(path: string, expected?: Expected): Promise<boolean> {
    const above = posix.dirname(path)
    const name = posix.basename(path)
    const calls = this.#calls
    try {
      return await withFolderInside(this.#root, posix.join(this.#from, above), { calls }, async (source) =>
        withFolderInside(this.#root, posix.join(this.folder, above), { calls, make: true }, async (target) =>
          this.#linked(`${source.path}/${name}`, `${target.path}/${name}`, expected),
        ),
      )
    } catch (error) {
      if (error instanceof Outside || REFUSED.has(String((error as NodeJS.ErrnoException).code))) return false
      throw error
    }
  }

  async #linked(from: string, to: string, expected: Expected | undefined): Promise<boolean> {
    if (!isExpected(expected, await this.#calls.lstat(from))) return false
    await removeTree(posix.dirname(to), posix.basename(to))
    await this.#calls.link(from, to)
    // Looked at once more under its new name, which nobody exchanges for another.
    if (isExpected(expected, await this.#calls.lstat(to))) return true
    await this.#calls.unlink(to)
    return false
  }
}

function isExpected(expected: Expected | undefined, stats: Stats): boolean {
  if (!stats.isFile()) return false
  return (
    expected === undefined || (expected.size === stats.size && micros(expected.modifiedMs) === micros(stats.mtimeMs))
  )
}
