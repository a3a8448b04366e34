import type { FileStat } from './entry.ts'

/** A file as it was last seen, and what it was called then. */
export type KnownFile = FileStat & { readonly etag: string }

/**
 * The ETag of a file that came without one: from its time of modification and its size, so that copies of it that kept both have the
 * same on every node, without reading it. Where the place held `known` under that very time and size and it is
 * another one now, its inode and status change tell them apart.
 */
export function etagOf(stat: FileStat, known?: KnownFile): string {
  if (known === undefined || known.size !== stat.size || micros(known.modifiedMs) !== micros(stat.modifiedMs)) {
    return timeEtag(stat)
  }
  if (isSameContent(stat, known)) return known.etag
  return `${timeEtag(stat)}-${stat.inode.toString(36)}-${micros(stat.changedMs).toString(36)}`
}

/**
 * Of time and size alone: `1700000000123456-8192`. Never of the form of an MD5, which clients would compare with the content; with
 * a hyphen, like the ETags of multipart uploads, which they know not to.
 */
export function timeEtag({ modifiedMs, size }: Pick<FileStat, 'modifiedMs' | 'size'>): string {
  return `${micros(modifiedMs)}-${size}`
}

/** Whether two looks at one place saw the same content, as far as anybody can know. */
export function isSameContent(a: FileStat, b: FileStat): boolean {
  const sameFile = a.size === b.size && a.inode === b.inode && micros(a.modifiedMs) === micros(b.modifiedMs)
  if (!sameFile || micros(a.changedMs) === micros(b.changedMs)) return sameFile
  return a.links !== undefined && b.links !== undefined && a.links !== b.links
}

/**
 * Whether only the status of a file has changed: it was given other rights or another owner, or it was written to in place and
 * its time put back. Only its content tells which.
 */
export function isDoubtful(a: FileStat, b: FileStat): boolean {
  return (
    a.size === b.size && a.inode === b.inode && micros(a.modifiedMs) === micros(b.modifiedMs) && !isSameContent(a, b)
  )
}

/**
 * From when on a file that is in place can be taken for complete: at once when it was renamed into place or had its times or rights set
 * after the last write (both change the status only), else when it was not written to for `settleMs`. Rights are also set before
 * the first write.
 */
export function wholeFromMs({ size, modifiedMs, changedMs }: FileStat, settleMs: number): number {
  if (size === 0) return Math.max(modifiedMs, changedMs) + settleMs
  return micros(modifiedMs) === micros(changedMs) ? modifiedMs + settleMs : -Infinity
}

export function isWhole(stat: FileStat, nowMs: number, settleMs: number): boolean {
  return wholeFromMs(stat, settleMs) <= nowMs
}

/** What all file systems and all ways of telling a time have in common, rounded as a copied time has to be. */
export function micros(ms: number): number {
  return Math.round(ms * 1000)
}
