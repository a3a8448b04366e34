import { lstat, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { FlotillaError } from '../../../core/errors.ts'
import type { Op } from '../../../core/op.ts'
import type { FileTree } from '../../../core/tree.ts'
import { writeAtomic } from '../../../lib/atomic-file.ts'
import { sha256 } from '../../../lib/hash.ts'
import { safePath } from '../../../lib/safe-path.ts'
import { digestOf } from './fingerprints.ts'
import { makeFolder } from './folders.ts'
import type { Versions } from './versions.ts'

/**
 * The folder of this node that `${node.files}` names: what travels with the definitions lies there under its path in the
 * tree. Files that somebody else put or changed there are written over only after a copy is kept.
 */
export class SideFiles {
  readonly #folder: string
  readonly #versions: Versions

  constructor(folder: string, versions: Versions) {
    this.#folder = folder
    this.#versions = versions
  }

  /** Where a file of the tree lies; refuses a path that goes through a link out of the folder. */
  pathOf(path: string): string {
    return join(this.#folder, safePath(path))
  }

  /** `managed`: what this node put there last; anything else at that place is somebody's own. */
  async place(tree: FileTree, path: string, managed: string | undefined, op: Op): Promise<void> {
    const bytes = await tree.read(path, op)
    await this.#makeFolders(path)
    await this.#keepForeign(path, new Set([managed, sha256(bytes)]))
    await writeAtomic(this.pathOf(path), bytes, op)
  }

  async remove(path: string, managed: string | undefined): Promise<void> {
    await this.#refuseLinks(path)
    await this.#keepForeign(path, new Set([managed]))
    await rm(this.pathOf(path), { force: true })
    // Folders that are empty now go too; the first one that is not ends it.
    for (const folder of foldersAbove(path)) {
      const removed = await rmdir(this.pathOf(folder)).then(
        () => true,
        () => false,
      )
      if (!removed) return
    }
  }

  async #keepForeign(path: string, ours: ReadonlySet<string | undefined>): Promise<void> {
    const found = await lstat(this.pathOf(path)).catch(() => undefined)
    if (found?.isFile() !== true) return
    if (!ours.has(await digestOf(this.pathOf(path)))) await this.#versions.keep(this.pathOf(path))
  }

  async #makeFolders(path: string): Promise<void> {
    await makeFolder(this.#folder)
    await this.#refuseLinks(path)
    for (const folder of foldersAbove(path).toReversed()) await makeFolder(this.pathOf(folder))
  }

  /** The folder itself may be a link; what lies in it must not lead out of it. */
  async #refuseLinks(path: string): Promise<void> {
    for (const folder of foldersAbove(path)) {
      const found = await lstat(this.pathOf(folder)).catch(() => undefined)
      if (found?.isSymbolicLink() !== true) continue
      throw new FlotillaError('CONFIG_INVALID', `${this.pathOf(folder)} is a link`, {
        file: this.pathOf(folder),
        hint: 'Remove it: files of a release are only written inside of the files folder.',
      })
    }
  }
}

/** `a/b`, then `a`, for `a/b/c`. */
function foldersAbove(path: string): readonly string[] {
  const folder = dirname(path)
  return folder === '.' ? [] : [folder, ...foldersAbove(folder)]
}
