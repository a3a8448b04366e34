import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { join, relative } from 'node:path'
import { FlotillaError } from '../core/errors.ts'
import { TEMPLATE_LIMITS } from '../core/templates/model.ts'
import { isInside } from '../lib/open-inside.ts'
import { isSafePath } from '../lib/safe-path.ts'

const FILES_MAX = 500
/** Ends the name of a template; what is rendered from it has none. */
const SUFFIX = '.tmpl'

/** The templates in one folder and below, by their path in it. Nothing outside is ever read, whatever names and links say. */
export class TemplateFolder {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Undefined where there is none of that name. Throws `TEMPLATE_FAILED` for one that is too large, or no text. */
  read(name: string): string | undefined {
    const path = this.#pathOf(name)
    if (path === undefined) return undefined
    const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const stat = fstatSync(file)
      if (!stat.isFile()) return undefined
      // A character of UTF-8 has at most four bytes.
      if (stat.size > 4 * TEMPLATE_LIMITS.source) throw failed(name, 'is too large for a template')
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(readFileSync(file))
    } catch (error) {
      if (error instanceof TypeError) throw failed(name, 'is no text in UTF-8')
      throw error
    } finally {
      closeSync(file)
    }
  }

  /** Every template that makes a file, as [its name, that file's path]; names that start with `_` or `.` are for including only. */
  list(): readonly (readonly [string, string])[] {
    const all = readdirSync(this.#folder, { recursive: true, withFileTypes: true })
    const names = all
      .filter((entry) => !entry.isDirectory())
      .map(({ parentPath, name }) => relative(this.#folder, join(parentPath, name)))
      .filter((name) => isSafePath(name) && !name.split('/').some((part) => /^[._]/.test(part)))
    if (names.length > FILES_MAX)
      throw new FlotillaError('TOO_LARGE', `${this.#folder} holds more than ${FILES_MAX} templates`)
    return names.toSorted().map((name) => [name, withoutSuffix(name)])
  }

  #pathOf(name: string): string | undefined {
    if (!isSafePath(name)) return undefined
    try {
      const root = realpathSync(this.#folder)
      const path = realpathSync(join(root, name))
      return isInside(root, path) ? path : undefined
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
      throw error
    }
  }
}

function withoutSuffix(name: string): string {
  return name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : name
}

function failed(file: string, why: string): FlotillaError {
  return new FlotillaError('TEMPLATE_FAILED', `${file} ${why}`, { file })
}
