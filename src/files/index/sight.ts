import { realpathSync, statSync } from 'node:fs'
import { posix } from 'node:path'
import { type FileStat, folderOf } from '../../core/files/entry.ts'
import { GENERATIONS } from '../../lib/inside.ts'
import { Outside } from '../../lib/open-inside.ts'
import { pathKey } from '../../lib/safe-path.ts'
import { Folder, isHidden, toStat } from './folder.ts'

/** What lies at a path. `unknown`: the file system did not tell, such as a share that is not reachable. */
export type Seen =
  | { readonly kind: 'file'; readonly key: string; readonly stat: FileStat }
  | { readonly kind: 'folder' }
  | { readonly kind: 'generation'; readonly real: string }
  | { readonly kind: 'none' }
  | { readonly kind: 'unknown'; readonly why: string }

const NONE: Seen = { kind: 'none' }

/** Looks at the folder of a tree, never beyond it. Paths are relative; '' is the root. */
export class Sight {
  /** Absolute, without links. */
  readonly root: string
  /** Path of a link → path of the generation that it leads to. */
  readonly #links = new Map<string, string>()
  readonly #identity: string
  #last: { readonly real: string; readonly folder: Folder } | undefined

  /** Throws as the system does where the root is not there. */
  constructor(root: string) {
    this.root = realpathSync(root)
    const { dev, ino } = statSync(this.root)
    this.#identity = `${dev}:${ino}`
  }

  /** Whether it is the same folder, in the same place. */
  equals(other: Sight): boolean {
    return this.root === other.root && this.#identity === other.#identity
  }

  /** Where a path leads to, generations resolved. */
  real(path: string): string {
    if (this.#links.size === 0) return path
    for (let at = path; at !== ''; at = folderOf(at)) {
      const target = this.#links.get(at)
      if (target !== undefined) return target + path.slice(at.length)
    }
    return path
  }

  absolute(real: string): string {
    if (real === '') return this.root
    return this.root === '/' ? `/${real}` : `${this.root}/${real}`
  }

  /** The one that opens it closes it. Throws as `Folder` does. */
  open(path: string): Folder {
    return new Folder(this.absolute(this.real(path)))
  }

  /** `release` must be called when one is through with looking for now. */
  look(path: string): Seen {
    if (path === '') return { kind: 'folder' }
    const name = posix.basename(path)
    if (isHidden(name)) return NONE
    try {
      const folder = this.#folder(folderOf(path))
      const stats = folder.look(name)
      if (stats === undefined) return NONE
      if (stats.isDirectory()) return { kind: 'folder' }
      if (stats.isSymbolicLink()) return this.generation(path, folder.link(name))
      const key = stats.isFile() ? pathKey(path) : undefined
      return key === undefined ? NONE : { kind: 'file', key, stat: toStat(stats) }
    } catch (error) {
      return unseen(error)
    }
  }

  /** Whether a link is to be followed, and where to. */
  generation(path: string, link: string): Seen {
    const real = posix.join(this.real(folderOf(path)), link)
    const parts = real.split('/')
    const leadsToOne = parts[0] === GENERATIONS && parts.length === 3 && !link.startsWith('/')
    return leadsToOne && parts.every((part) => part !== '..') ? { kind: 'generation', real } : NONE
  }

  /** The generation that the link led to when it was followed last. */
  followed(path: string): string | undefined {
    return this.#links.get(path)
  }

  follow(path: string, real: string | undefined): void {
    if (this.#links.get(path) === real) return
    if (real === undefined) this.#links.delete(path)
    else this.#links.set(path, real)
    // It may have been opened through the link.
    this.release()
  }

  release(): void {
    this.#last?.folder.close()
    this.#last = undefined
  }

  /** Many looks one after the other go to one folder. */
  #folder(path: string): Folder {
    const real = this.real(path)
    if (this.#last?.real === real) return this.#last.folder
    this.release()
    const folder = new Folder(this.absolute(real))
    this.#last = { real, folder }
    return folder
  }
}

/** What an error tells: that there is nothing, or nothing at all. */
export function unseen(error: unknown): Seen {
  if (error instanceof Outside) return NONE
  const { code, message } = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' ? NONE : { kind: 'unknown', why: message }
}
