import { FlotillaError } from '../errors.ts'

/** Which keys a pattern means, and into which folders it is worth looking for them. */
export interface Glob {
  readonly text: string
  matches(key: string): boolean
  /** False where nothing below `folder` (`a/b/`) can match. */
  reaches(folder: string): boolean
  /** Whether everything below `folder` matches. */
  swallows(folder: string): boolean
  /** What every key that matches starts with; may be empty. */
  readonly prefix: string
}

const ALTERNATIVES_MAX = 100

/**
 * `*` and `?` stand for anything but a slash, `**` for anything, `[a-z]` for one of these, `{a,b}` for either. A pattern without a slash
 * means names in any folder; one that ends with a slash all that is below. Throws `USAGE`.
 */
export function glob(text: string): Glob {
  const one = alternatives(text).map((pattern) => simple(text, pattern))
  const [first] = one
  if (one.length === 1 && first !== undefined) return first
  return {
    text,
    matches: (key) => one.some((pattern) => pattern.matches(key)),
    reaches: (folder) => one.some((pattern) => pattern.reaches(folder)),
    swallows: (folder) => one.some((pattern) => pattern.swallows(folder)),
    prefix: commonPrefix(one.map(({ prefix }) => prefix)),
  }
}

/** Whether any of the patterns means the key. */
export function anyMatches(globs: readonly Glob[], key: string): boolean {
  return globs.some((pattern) => pattern.matches(key))
}

function simple(text: string, pattern: string): Glob {
  if (pattern === '' || pattern === '/') throw bad(text, 'it is empty')
  const anchored = pattern.replace(/^\//, '')
  const isAnywhere = !pattern.replace(/\/$/, '').includes('/')
  const whole = `${isAnywhere ? '**/' : ''}${anchored}${anchored.endsWith('/') ? '**' : ''}`
  const parts = whole.split('/')
  const expression = new RegExp(`^${expressionOf(text, whole)}$`, 'su')
  const each = parts.map((part) => new RegExp(`^${expressionOf(text, part)}$`, 'su'))
  return {
    text,
    matches: (key) => expression.test(key),
    reaches: (folder) => reaches(parts, each, folder),
    swallows: (folder) => whole.endsWith('/**') && expression.test(`${folder}x`) && expression.test(`${folder}x/y`),
    prefix: literalPrefix(whole),
  }
}

function reaches(parts: readonly string[], each: readonly RegExp[], folder: string): boolean {
  const names = folder.split('/').slice(0, -1)
  for (const [index, name] of names.entries()) {
    if (parts[index]?.includes('**') === true) return true
    // The last part of the pattern names a file, so a folder in its place holds nothing that matches.
    if (index >= parts.length - 1 || each[index]?.test(name) !== true) return false
  }
  return true
}

const SPECIAL = /[*?[\]{}]/

function literalPrefix(pattern: string): string {
  const at = pattern.search(SPECIAL)
  return at < 0 ? pattern : pattern.slice(0, at)
}

function expressionOf(text: string, pattern: string): string {
  let expression = ''
  for (let index = 0; index < pattern.length; index++) {
    const char = pattern[index] ?? ''
    if (pattern.startsWith('**/', index) && (index === 0 || pattern[index - 1] === '/')) {
      expression += '(?:[^]*/)?'
      index += 2
    } else if (pattern.startsWith('**', index)) {
      expression += '[^]*'
      index += 1
    } else if (char === '*') expression += '[^/]*'
    else if (char === '?') expression += '[^/]'
    else if (char === '[') {
      const end = pattern.indexOf(']', index + 2)
      if (end < 0) throw bad(text, 'a "[" has no "]"')
      expression += setOf(text, pattern.slice(index + 1, end))
      index = end
    } else expression += char.replace(/[\\^$.*+?()[\]{}|/]/, String.raw`\$&`)
  }
  return expression
}

function setOf(text: string, inside: string): string {
  const isNot = inside.startsWith('!') || inside.startsWith('^')
  const body = (isNot ? inside.slice(1) : inside).replaceAll(/[\\\]^[&|~]/g, String.raw`\$&`)
  try {
    const set = `[${isNot ? '^/' : ''}${body}]`
    return new RegExp(set, 'u').source
  } catch {
    throw bad(text, `[${inside}] is no set of characters`)
  }
}

/** Each way to read the braces. */
function alternatives(text: string): readonly string[] {
  let open = [text]
  const done: string[] = []
  while (open.length > 0) {
    if (open.length + done.length > ALTERNATIVES_MAX) throw bad(text, 'it stands for too many patterns')
    const next: string[] = []
    for (const pattern of open) {
      const [found, before, inside, after] = /^([^{]*)\{([^{}]*)\}(.*)$/s.exec(pattern) ?? []
      if (found === undefined) done.push(pattern)
      else for (const one of (inside ?? '').split(',')) next.push(`${before}${one}${after}`)
    }
    open = next
  }
  if (done.some((pattern) => /[{}]/.test(pattern))) throw bad(text, 'braces stand in each other or are not closed')
  return done
}

function commonPrefix(texts: readonly string[]): string {
  const [first = ''] = texts
  let length = first.length
  for (const text of texts) {
    while (!text.startsWith(first.slice(0, length))) length--
  }
  return first.slice(0, length)
}

function bad(text: string, why: string): FlotillaError {
  return new FlotillaError('USAGE', `"${text}" is no pattern: ${why}`, {
    hint: 'Write for example "*.om", "data/dwd_icon/**" or "static/{meta,latest}.json".',
  })
}
