/** One file of a tree, as an index or a source of files lists it. */
export interface FileEntry {
  /** Its path from the root of the tree, forward slashes: any well-formed Unicode of 1 to 1,024 bytes as UTF-8. */
  readonly key: string
  /** Bytes. */
  readonly size: number
  /** When its content was changed last, in ms since 1970, with what fractions are known. */
  readonly modifiedMs: number
  /** Changes whenever the content does; without quotes. Empty from sources that tell none. */
  readonly etag: string
  /** Lower-case hex, where they are known. A file whose hash is not known yet is as good as any other. */
  readonly sha256?: string | undefined
  readonly md5?: string | undefined
}

/** What the file system tells of a file: the same file with the same four has the same content, as far as anybody can know. */
export interface FileStat {
  readonly size: number
  readonly modifiedMs: number
  /** Status change: cannot be set by programs, so it shows a content that was put under an old time of modification. */
  readonly changedMs: number
  readonly inode: number
  /** How many names it has, where the system tells: one more or less is a status change that leaves the content as it is. */
  readonly links?: number | undefined
}

export const KEY_BYTES_MAX = 1024

const EARLIEST_MS = Date.parse('0000-01-01T00:00:00Z')
const LATEST_MS = Date.parse('9999-12-31T23:59:59Z')

/**
 * A time that a file system tells, as one that every listing can tell: with a year of four digits. One file with another would keep
 * clients from reading a listing at all.
 */
export function tellableMs(ms: number): number {
  return Math.min(Math.max(ms, EARLIEST_MS), LATEST_MS)
}

/** What comes before the last slash of a path in a tree, or of a key; '' for what lies at the root. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash < 0 ? '' : path.slice(0, slash)
}

/** The order of listings: by the bytes of UTF-8. Differs from that of strings where surrogates take part. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index)
    const right = b.charCodeAt(index)
    if (left !== right) return rank(left) - rank(right)
  }
  return a.length - b.length
}

/** Surrogates stand for what comes after every other code unit. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}

/** The first text that comes after everything with this prefix. Undefined where nothing can follow. */
export function endOfPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix)
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const point = last.codePointAt(0) ?? 0
    if (point === 0x10ffff) continue
    return points.join('') + String.fromCodePoint(point === 0xd7ff ? 0xe000 : point + 1)
  }
  return undefined
}

/**
 * Comes after every key with this prefix, and before every key that follows those: the `after` with which a listing goes on
 * that has seen enough of them.
 */
export function lastOfPrefix(prefix: string): string {
  return prefix + '\u{10FFFF}'.repeat(KEY_BYTES_MAX / 4)
}
