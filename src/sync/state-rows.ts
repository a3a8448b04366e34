import type { FileEntry } from '../core/files/entry.ts'
import type { Known } from '../core/sync/compare.ts'

/** What the file system told of a file right after it was put in its place. */
export interface Placed {
  readonly inode: number
  readonly size: number
  readonly modifiedMs: number
}

/** A file that was brought over, or found to be here. */
export interface KnownFile extends Known {
  readonly entry: FileEntry
  /** Where it lies, where that is not what its key says. */
  readonly path: string | undefined
  /** Undefined where the file was found to be missing or another one. */
  readonly placed: Placed | undefined
}

/** What is still to be done: files to bring over, by stage; or to delete. */
export interface Todo {
  readonly entry: FileEntry
  readonly stage: number
}

/** In this order; metadata by their rank between the first two. */
export const STAGES = { data: 0, group: 50, gone: 100 } as const

export type Value = string | number | null
export type Row = readonly Value[]

export const FILE = 'key, size, modified, etag, sha256, md5, origin, path, inode, local_size, local_modified'
export const ENTRY = 'key, size, modified, etag, sha256, md5'

export function entryRow({ key, size, modifiedMs, etag, sha256, md5 }: FileEntry): Value[] {
  return [key, size, modifiedMs, etag, sha256 ?? null, md5 ?? null]
}

export function fileEntry([key, size, modified, etag, sha256, md5]: Row): FileEntry {
  return {
    key: String(key),
    size: Number(size),
    modifiedMs: Number(modified),
    etag: String(etag),
    ...(typeof sha256 === 'string' && { sha256 }),
    ...(typeof md5 === 'string' && { md5 }),
  }
}

export function knownFile(row: Row): KnownFile {
  const entry = fileEntry(row)
  const [origin, path, inode, size, modified] = row.slice(6)
  const placed = typeof inode === 'number' ? { inode, size: Number(size), modifiedMs: Number(modified) } : undefined
  return {
    entry,
    size: entry.size,
    modifiedMs: entry.modifiedMs,
    etag: entry.etag,
    origin: Number(origin),
    intact: placed !== undefined,
    path: typeof path === 'string' ? path : undefined,
    placed,
  }
}
