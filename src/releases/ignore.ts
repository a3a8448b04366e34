import { FlotillaError } from '../core/errors.ts'

/** A file of this name at the root of a source folder says what else is left out. */
export const IGNORE_FILE = '.flotillaignore'

/** More bytes than this are not even read. */
export const IGNORE_BYTES_MAX = 64 * 1024

const RULES_MAX = 500

/**
 * What never belongs to a release: hidden files and folders (version control, `.trash`, our own temporary files), what
 * editors leave behind (`x~`, `x.bak`, `x.orig`, `x.swp`, `#x#`), and folders named `trash`.
 */
export function isLeftOut(name: string, isFolder: boolean): boolean {
  return name.startsWith('.') || /(?:~|\.bak|\.orig|\.swp)$|^#.*#$/.test(name) || (isFolder && name === 'trash')
}

export interface IgnoreRules {
  /** `path` is relative to the root. What is in a folder that is ignored needs no asking. */
  ignores(path: string, isFolder: boolean): boolean
}

/**
 * Rules, one a line; empty lines and lines that start with `#` say nothing.
 *
 *     *.md            every file and folder whose name fits, at any depth
 *     drafts/         folders only
 *     old/2019-*      with a slash inside or in front: from the root on
 *     **\/raw/*.csv    ** stands for any number of folders
 *
 * `*` stands for any characters of a name and `?` for one. There is no way to take back what another rule ignores.
 * Throws `CONFIG_INVALID` when there are more than 500.
 */
export function parseIgnore(text: string): IgnoreRules {
  const lines = text.split(/\r?\n/).map((line) => line.trim())
  const rules = lines.filter((line) => line !== '' && !line.startsWith('#')).map(parseRule)
  if (rules.length > RULES_MAX) throw ignoreTooLong()
  return { ignores: (path, isFolder) => rules.some((rule) => fits(rule, path, isFolder)) }
}

export function ignoreTooLong(): FlotillaError {
  return new FlotillaError('CONFIG_INVALID', `${IGNORE_FILE} holds more than ${RULES_MAX} rules`, {
    file: IGNORE_FILE,
    hint: 'Ignore whole folders instead of single files.',
  })
}

interface Rule {
  readonly parts: readonly string[]
  readonly foldersOnly: boolean
  /** Compared with the whole path instead of the name alone. */
  readonly fromRoot: boolean
}

function parseRule(line: string): Rule {
  const pattern = line.replace(/\/+$/, '')
  const parts = pattern.replace(/^\/+/, '').split('/')
  return { parts, foldersOnly: line.endsWith('/'), fromRoot: pattern.includes('/') }
}

function fits({ parts, foldersOnly, fromRoot }: Rule, path: string, isFolder: boolean): boolean {
  if (foldersOnly && !isFolder) return false
  const names = path.split('/')
  return matches(parts, fromRoot ? names : names.slice(-1), '**', fitsName)
}

function fitsName(pattern: string, name: string): boolean {
  return matches(Array.from(pattern), Array.from(name), '*', (wanted, char) => wanted === '?' || wanted === char)
}

/**
 * Whether `pattern` covers `items`, where `star` stands for any number of them. Goes back to the last star only, so the
 * time is at most the product of both lengths, whatever the pattern.
 */
function matches(
  pattern: readonly string[],
  items: readonly string[],
  star: string,
  one: (wanted: string, item: string) => boolean,
): boolean {
  let at = 0
  let afterStar = 0
  let resume = 0
  for (let index = 0; index < items.length;) {
    const wanted = pattern[at]
    if (wanted === star) {
      afterStar = ++at
      resume = index
    } else if (wanted !== undefined && one(wanted, items[index] ?? '')) {
      at++
      index++
    } else if (afterStar > 0) {
      at = afterStar
      index = ++resume
    } else return false
  }
  return pattern.slice(at).every((wanted) => wanted === star)
}
