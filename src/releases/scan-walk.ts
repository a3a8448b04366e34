import { lstat as lstatWithCallback, type Stats } from 'node:fs'
import { readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { FlotillaError, isError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import type { Problem } from '../core/problem.ts'
import { RELEASE_LIMITS } from '../core/release.ts'
import { forEachLimited } from '../lib/limited.ts'
import { isInside } from '../lib/open-inside.ts'
import { safePath } from '../lib/safe-path.ts'
import { type IgnoreRules, isLeftOut } from './ignore.ts'
import { Changing, type FoundFile, isSame, orChanging, Unreadable } from './scan-file.ts'

const PARALLEL = 16
/** Takes half the time of the one in fs/promises, and is called for every file of every scan. */
const lstat = promisify(lstatWithCallback)

/** What stands in a folder and all folders below, by their attributes alone: no file is opened. */
export class Walk {
  readonly files: FoundFile[] = []
  readonly problems: Problem[] = []
  /** Every folder that was entered, the root as the empty path, and what it was when it was entered. */
  readonly folders = new Map<string, Stats>()
  /** Those of them that have no entry at all. */
  readonly empty: string[] = []
  readonly #root: string
  readonly #rules: IgnoreRules
  readonly #op: Op

  /** `root` is free of symbolic links. */
  constructor(root: string, rules: IgnoreRules, op: Op) {
    this.#root = root
    this.#rules = rules
    this.#op = op
  }

  /** Throws `Changing`, and `TOO_LARGE` when there is more than any release may hold. */
  async run(): Promise<void> {
    for (let level = ['']; level.length > 0;) {
      const below: string[] = []
      await forEachLimited(level, PARALLEL, async (folder) => this.#enter(folder, below))
      level = below
    }
    this.files.sort((a, b) => (a.path < b.path ? -1 : 1))
  }

  /**
   * Throws `Changing` when an entry was added, removed or renamed in any folder since it was entered: without that, a
   * file that was moved meanwhile could be missing from both places.
   */
  async confirm(): Promise<void> {
    await forEachLimited(this.folders, PARALLEL, async ([folder, before]) => {
      this.#op.signal?.throwIfAborted()
      const now = await orChanging(folder, async () => lstat(join(this.#root, folder)))
      if (!isSame(now, before)) throw new Changing(folder)
    })
  }

  async #enter(folder: string, below: string[]): Promise<void> {
    const absolute = join(this.#root, folder)
    const entered = await orChanging(folder, async () => lstat(absolute))
    if (!entered.isDirectory()) throw new Changing(folder)
    const names = await orChanging(folder, async () => readdir(absolute)).catch((error: unknown) => {
      if (!(error instanceof Unreadable) || folder === '') throw error
      this.#refuse('FILE_UNREADABLE', folder, `the folder cannot be read (${error.message})`)
      return undefined
    })
    this.folders.set(folder, entered)
    if (this.folders.size > RELEASE_LIMITS.files) throw tooMany('folders')
    if (names === undefined) return
    if (names.length === 0) this.empty.push(folder)
    await forEachLimited(names, PARALLEL, async (name) => {
      this.#op.signal?.throwIfAborted()
      const path = folder === '' ? name : `${folder}/${name}`
      await this.#look(path, name, below)
    })
  }

  async #look(path: string, name: string, below: string[]): Promise<void> {
    if (isLeftOut(name, false)) return
    // Bytes that are not UTF-8 arrive as this character, under which nothing can be found.
    if (name.includes('\ufffd')) return this.#refuse('FILE_NAME', path, 'the name is not valid UTF-8')
    const absolute = join(this.#root, path)
    const stat = await orChanging(path, async () => lstat(absolute))
    const isFolder = stat.isDirectory()
    if (isLeftOut(name, isFolder) || this.#rules.ignores(path, isFolder)) return
    const unsafe = whyUnsafe(path)
    if (unsafe !== undefined) return this.#refuse('FILE_NAME', path, unsafe)
    if (isFolder) below.push(path)
    else if (stat.isSymbolicLink()) await this.#follow(path, absolute)
    else if (stat.isFile()) this.#add({ path, absolute, stat })
    else this.#report('warning', 'FILE_UNREADABLE', path, 'neither a file nor a folder; it is left out')
  }

  async #follow(path: string, link: string): Promise<void> {
    const absolute = await orChanging(path, async () => realpath(link)).catch((error: unknown) => {
      if (error instanceof Changing || error instanceof Unreadable) return undefined
      throw error
    })
    if (absolute === undefined) return this.#refuse('FILE_UNREADABLE', path, 'the symbolic link leads nowhere')
    if (!isInside(this.#root, absolute)) {
      return this.#refuse('FILE_UNREADABLE', path, 'the symbolic link leads out of the source folder')
    }
    const stat = await orChanging(path, async () => lstat(absolute))
    if (stat.isFile()) return this.#add({ path, absolute, stat })
    this.#refuse('FILE_UNREADABLE', path, 'a symbolic link to a folder is not followed')
  }

  #add(file: FoundFile): void {
    if (file.stat.size > RELEASE_LIMITS.fileBytes) {
      const limit = RELEASE_LIMITS.fileBytes / 1024 / 1024
      return this.#refuse('FILE_TOO_LARGE', file.path, `the file is larger than ${limit} MiB`)
    }
    this.files.push(file)
    if (this.files.length > RELEASE_LIMITS.files) throw tooMany('files')
  }

  #refuse(code: Problem['code'], file: string, message: string): void {
    this.#report('error', code, file, message)
  }

  #report(severity: Problem['severity'], code: Problem['code'], file: string, message: string): void {
    const hint = severity === 'error' ? { hint: 'Repair or remove it, or list it in .flotillaignore.' } : {}
    if (this.problems.length < PROBLEMS_MAX) this.problems.push({ severity, code, file, message, ...hint })
  }
}

const PROBLEMS_MAX = 1000

function tooMany(what: string): FlotillaError {
  return new FlotillaError('TOO_LARGE', `the source folder holds more than ${RELEASE_LIMITS.files} ${what}`, {
    hint: 'Leave some out with .flotillaignore, or follow a folder further down.',
  })
}

function whyUnsafe(path: string): string | undefined {
  try {
    safePath(path)
    return undefined
  } catch (error) {
    if (isError(error, 'BAD_REQUEST')) return error.message
    throw error
  }
}
