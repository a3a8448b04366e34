import type { FileEntry, FileStat } from '../../core/files/entry.ts'
import { isSameContent, type KnownFile, timeEtag } from '../../core/files/etag.ts'

/** Of `entries`: what is listed. */
export const ENTRY_COLUMNS = 'key, size, modified, etag, md5, sha256'

/** Of `entries`: what was seen of the file. */
export const SEEN_COLUMNS = 'key, size, modified, changed, inode, links, etag, md5, sha256, hashed'

export interface EntryRow {
  readonly key: string
  readonly size: number
  readonly modified: number
  readonly etag: string | null
  readonly md5: string | null
  readonly sha256: string | null
}

export interface SeenRow extends EntryRow {
  readonly changed: number
  readonly inode: number
  readonly links: number | null
  readonly hashed: number
}

/** What `hashed` says of a file: nothing was done, its blocks are known, it failed, or its content is in doubt. */
export const HASHED = { no: 0, yes: 1, failed: 2, doubtful: 3 } as const

export function toEntry({ key, size, modified, etag, md5, sha256 }: EntryRow): FileEntry {
  return {
    key,
    size,
    modifiedMs: modified,
    etag: etag ?? timeEtag({ size, modifiedMs: modified }),
    ...(sha256 === null ? {} : { sha256 }),
    ...(md5 === null ? {} : { md5 }),
  }
}

export function toKnown(row: SeenRow): KnownFile {
  const { size, modified, changed, inode, links } = row
  const etag = row.etag ?? timeEtag({ size, modifiedMs: modified })
  return { size, modifiedMs: modified, changedMs: changed, inode, links: links ?? undefined, etag }
}

/** As it is kept: times in steps that every way of telling them has. */
export function rounded({ size, modifiedMs, changedMs, inode, links }: FileStat): FileStat {
  return { size, modifiedMs: toMicros(modifiedMs), changedMs: toMicros(changedMs), inode, links }
}

/** Whether nothing at all has changed; cheaper than to ask whether the content has. */
export function isSeen(stat: FileStat, row: SeenRow): boolean {
  return (
    stat.size === row.size &&
    stat.inode === row.inode &&
    toMicros(stat.modifiedMs) === row.modified &&
    toMicros(stat.changedMs) === row.changed &&
    (stat.links ?? null) === row.links
  )
}

export function isSameAs(stat: FileStat, row: SeenRow): boolean {
  return isSameContent(stat, toKnown(row))
}

function toMicros(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
