import type { FileEntry } from '../files/entry.ts'

/** What is kept of a file that was brought over, or found to be the same. */
export interface Known {
  readonly size: number
  readonly modifiedMs: number
  readonly etag: string
  /** Which source told the ETag: those of another cannot be compared with it. */
  readonly origin: number
  /** Whether the file here is still the one that was put there, as far as was looked. */
  readonly intact: boolean
}

/** A file that lies here. */
export interface Local {
  readonly size: number
  readonly modifiedMs: number
}

export type Comparison =
  /** Nothing is to be done. */
  | 'same'
  /** The content is the same, its time is not. */
  | 'touch'
  /** The file here is the same, and is not known yet. */
  | 'adopt'
  | 'fetch'

/** Times are told in whole seconds, or with fractions that another side cuts off. */
const ROUNDING_MS = 1000

/**
 * What is to be done so that the file here is what the source lists. By the ETag where both are of one source; otherwise by size, or by time:
 * a difference in either direction is one, or a file of the same size that came from an older listing would never be repaired.
 * `local` is only looked at where the file is not known, or not intact.
 */
export function compare(
  remote: FileEntry,
  origin: number,
  known: Known | undefined,
  local: () => Local | undefined,
): Comparison {
  if (known?.intact === true) return compareKnown(remote, origin, known)
  const found = local()
  if (found === undefined || found.size !== remote.size) return 'fetch'
  return isSameTime(found.modifiedMs, remote.modifiedMs) ? 'adopt' : 'fetch'
}

function compareKnown(remote: FileEntry, origin: number, known: Known): Comparison {
  if (remote.size !== known.size) return 'fetch'
  const sameTime = isSameTime(remote.modifiedMs, known.modifiedMs)
  const comparable = remote.etag !== '' && known.etag !== '' && known.origin === origin
  if (!comparable) return sameTime ? 'same' : 'fetch'
  if (remote.etag !== known.etag) return 'fetch'
  return sameTime ? 'same' : 'touch'
}

function isSameTime(a: number, b: number): boolean {
  return Math.abs(a - b) <= ROUNDING_MS
}
