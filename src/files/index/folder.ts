import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, type Stats } from 'node:fs'
import { compareKeys, type FileStat, tellableMs } from '../../core/files/entry.ts'
import { Outside } from '../../lib/open-inside.ts'
import { OWN_PREFIX } from '../../lib/safe-path.ts'

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW
const HAS_DESCRIPTOR_PATHS = process.platform === 'linux'

/**
 * A folder that was opened, so that what is asked of it is asked of this very folder, whatever is exchanged for links meanwhile. Its
 * calls wait for the file system: for threads that may wait.
 */
export class Folder {
  readonly device: number
  readonly inode: number
  readonly #descriptor: number
  readonly #path: string

  /** `path`: absolute and free of links. Throws `Outside` where there is a link on the way, or as opening does. */
  constructor(path: string) {
    this.#descriptor = openSync(path, FOLDER)
    try {
      const there = HAS_DESCRIPTOR_PATHS ? readlinkSync(`/proc/self/fd/${this.#descriptor}`) : path
      if (there !== path) throw new Outside(`${path} leads to ${there}`)
      this.#path = HAS_DESCRIPTOR_PATHS ? `/proc/self/fd/${this.#descriptor}` : path
      const { dev, ino } = fstatSync(this.#descriptor)
      this.device = dev
      this.inode = ino
    } catch (error) {
      closeSync(this.#descriptor)
      throw error
    }
  }

  /** Undefined where there is nothing of that name. */
  look(name: string): Stats | undefined {
    return lstatSync(`${this.#path}/${name}`, { throwIfNoEntry: false })
  }

  link(name: string): string {
    return readlinkSync(`${this.#path}/${name}`)
  }

  /**
   * The names that are not hidden, in the order of the keys of what they lead to: those of folders and links, which end with a slash
   * here, among the others.
   */
  names(): readonly string[] {
    const names: string[] = []
    let plain = true
    for (const entry of readdirSync(this.#path, { withFileTypes: true })) {
      if (isHidden(entry.name)) continue
      if (plain && /[\ud800-\udfff]/.test(entry.name)) plain = false
      if (entry.isFile()) names.push(entry.name)
      else if (entry.isDirectory() || entry.isSymbolicLink()) names.push(`${entry.name}/`)
    }
    // Without surrogates the order of strings is that of keys, and the system's own is much faster.
    return plain ? names.toSorted() : names.toSorted(compareKeys)
  }

  close(): void {
    closeSync(this.#descriptor)
  }
}

const KEY_PREFIX = `${OWN_PREFIX}key-`

/** Of a file or folder; escaped parts of keys are not. */
export function isHidden(name: string): boolean {
  return name.endsWith('~') || (name.startsWith(OWN_PREFIX) && !name.startsWith(KEY_PREFIX))
}

export function toStat({ size, mtimeMs, ctimeMs, ino, nlink }: Stats): FileStat {
  return { size, modifiedMs: tellableMs(mtimeMs), changedMs: ctimeMs, inode: ino, links: nlink }
}
