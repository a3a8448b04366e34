import { FlotillaError } from '../core/errors.ts'

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
