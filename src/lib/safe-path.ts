import { FlotillaError } from '../core/errors.ts'
import { KEY_BYTES_MAX } from '../core/files/entry.ts'

const PART_BYTES_MAX = 255
const PATH_BYTES_MAX = 4096

/**
 * Returns `path` if it names something strictly inside a root: relative, forward slashes, no empty, `.` or `..` part,
 * no backslash, drive letter, NUL or other control character, no trailing dot or space, at most 255 bytes a part and 4,096 in all.
 * Throws `BAD_REQUEST` otherwise. Every path that comes from outside goes through here.
 */
export function safePath(path: string): string {
  const why = unsafe(path)
  if (why === undefined) return path
  throw new FlotillaError('BAD_REQUEST', `unsafe path ${JSON.stringify(path.slice(0, 200))}: ${why}`)
}

export function isSafePath(path: string): boolean {
  return unsafe(path) === undefined
}

function unsafe(path: string): string | undefined {
  if (path === '') return 'it is empty'
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) return `it is longer than ${PATH_BYTES_MAX} bytes`
  if (!path.isWellFormed()) return 'it is not valid Unicode'
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(path)) return 'it holds a control character'
  if (path.includes('\\')) return 'it holds a backslash'
  if (/^[A-Za-z]:/.test(path)) return 'it starts with a drive letter'
  for (const part of path.split('/')) {
    if (part === '') return 'a part of it is empty'
    if (part === '.' || part === '..') return `it holds a "${part}" part`
    if (/[. ]$/.test(part)) return 'a part of it ends with a dot or a space'
    if (Buffer.byteLength(part) > PART_BYTES_MAX) return `a part of it is longer than ${PART_BYTES_MAX} bytes`
  }
  return undefined
}

/** In a folder that is served or synced, names that start with this are ours. */
export const OWN_PREFIX = '.flotilla-'
const KEY_PREFIX = `${OWN_PREFIX}key-`
/** Stands at the end of an escaped name that is a folder, or goes on in the next; no other escaped name ends with it. */
const GOES_ON = '%'
/** Short and of such parts a key is its path; nearly all are, and this is asked for every file again and again. */
const OBVIOUS = /^\w[\w.-]*(?:\/\w[\w.-]*)*$/
const ESCAPED_BYTES_MAX = PART_BYTES_MAX - KEY_PREFIX.length - GOES_ON.length

/**
 * Where the file of that key lies in its tree: a relative path without dot segments, at most 255 bytes a part and 4,096 in all.
 * Parts of a key stay as they are; those that no file can be called, or that mean something else to us (empty, `.`, `..`, too long,
 * our own prefix, a `~` at the end), are escaped into names that start with `.flotilla-key-`. No two keys share a path, and
 * where one key's path is a folder of another's, the one key is the other's beginning: `a` and `a/b`, not `a/` and `a//b`.
 * Throws `BAD_REQUEST` for what is no key: empty, over 1,024 bytes as UTF-8, ill-formed Unicode, with a NUL.
 */
export function keyPath(key: string): string {
  if (key.length <= PART_BYTES_MAX && OBVIOUS.test(key)) return key
  const why = whyNoKey(key)
  if (why !== undefined) {
    throw new FlotillaError('BAD_REQUEST', `bad key ${JSON.stringify(key.slice(0, 200))}: ${why}`)
  }
  const path = partsOfKey(key).join('/')
  return Buffer.byteLength(path) <= PATH_BYTES_MAX ? path : escaped(key, '').join('/')
}

/** The key whose file lies there, or undefined: the path is no key's, such as that of a temporary file or with a `~` at the end. */
export function pathKey(path: string): string | undefined {
  const key = unescaped(path)
  return key !== undefined && whyNoKey(key) === undefined && keyPath(key) === path ? key : undefined
}

export function isKey(key: string): boolean {
  return whyNoKey(key) === undefined
}

function whyNoKey(key: string): string | undefined {
  if (key === '') return 'it is empty'
  if (Buffer.byteLength(key) > KEY_BYTES_MAX) return `it is longer than ${KEY_BYTES_MAX} bytes`
  if (!key.isWellFormed()) return 'it is not valid Unicode'
  if (key.includes('\0')) return 'it holds a NUL'
  return undefined
}

function isPlain(part: string): boolean {
  if (part === '' || part === '.' || part === '..') return false
  return !part.startsWith(OWN_PREFIX) && !part.endsWith('~') && Buffer.byteLength(part) <= PART_BYTES_MAX
}

function partsOfKey(key: string): readonly string[] {
  const parts: string[] = []
  // Parts in sequence that need it are escaped together, or a thousand slashes would be a thousand long names.
  let run: string[] = []
  for (const part of key.split('/')) {
    if (!isPlain(part)) {
      run.push(part)
      continue
    }
    if (run.length > 0) parts.push(...escaped(run.join('/'), GOES_ON))
    run = []
    parts.push(part)
  }
  if (run.length > 0) parts.push(...escaped(run.join('/'), ''))
  return parts
}

function escaped(text: string, end: string): readonly string[] {
  // Only what reads alike everywhere stays: a name may be cut anywhere but within an escape.
  const safe = encodeURIComponent(text).replaceAll('~', '%7E')
  const pieces = safe.match(new RegExp(`(?:%..|[^%]){1,${Math.floor(ESCAPED_BYTES_MAX / 3)}}`, 'g')) ?? ['']
  return pieces.map((piece, index) => `${KEY_PREFIX}${piece}${index < pieces.length - 1 ? GOES_ON : end}`)
}

function unescaped(path: string): string | undefined {
  if (!path.includes(KEY_PREFIX)) return path
  const parts: string[] = []
  let run: string | undefined
  try {
    for (const part of path.split('/')) {
      if (part.startsWith(KEY_PREFIX)) {
        run = (run ?? '') + part.slice(KEY_PREFIX.length).replace(/%$/, '')
        continue
      }
      if (run !== undefined) parts.push(decodeURIComponent(run))
      run = undefined
      parts.push(part)
    }
    if (run !== undefined) parts.push(decodeURIComponent(run))
  } catch {
    return undefined
  }
  return parts.join('/')
}
