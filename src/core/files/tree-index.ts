import type { Op } from '../op.ts'
import type { FileEntry, FileStat } from './entry.ts'
import type { BlockHashes, BlocksOptions, ChangePage } from './peer.ts'

/**
 * What a folder holds, sorted, with what is known of each file. Follows the folder: as the file system tells where it does, by
 * looking again and again elsewhere. Methods that answer at once never wait for the folder. Lives on disk: memory does not grow with it.
 * Hidden: names that start with `.flotilla-` or end with `~`, whatever is no regular file, links (but for the links of generations),
 * names that are no well-formed UTF-8, and files that were written to within the last moments (they are not whole yet).
 */
export interface TreeIndex {
  /** Up to `limit` entries with the prefix that come after the key `after` (from the start with ''), in order. */
  page(options: { readonly prefix: string; readonly after: string; readonly limit: number }): readonly FileEntry[]

  get(key: string): FileEntry | undefined

  /**
   * The entry of exactly the file that `stat` was told of, indexed or not: what an answer that sends this file says of it. The same
   * key with the same stat has the same ETag for ever, also after a restart and a loss of the index.
   */
  entryOf(key: string, stat: FileStat): FileEntry

  /**
   * Another one than before when `entryOf` or `factsOf` may answer otherwise than before: until then their answers can be kept. It is when
   * anybody is told of what made the difference, at the latest.
   */
  readonly version: number

  /** Runs `read`, which asks for many entries: what it is answered is of one moment, and costs a fraction. */
  atOnce<T>(read: () => T): T

  /** As `PeerSource.changes` without waiting; the pages of one answer are of one moment each, and nothing is left out between them. */
  changes(options: { readonly since: string | undefined; readonly prefixes: readonly string[] }): Iterable<ChangePage>

  /** Resolves at the next change after the moment of calling. */
  changed(op: Op): Promise<void>

  /**
   * Takes over what was just written or removed through us, and what is known of it, without waiting to see it. Durable when it
   * resolves if `facts` has anything in it. Given a stat of undefined the file is gone.
   */
  note(key: string, stat: FileStat | undefined, facts?: FileFacts): Promise<void>

  /** What was noted of exactly this file, beside its hashes: undefined for files that came otherwise. */
  factsOf(key: string, stat: FileStat): FileFacts | undefined

  /** Undefined while they are not known. Costs no hashing. */
  blocks(key: string, etag: string, options: BlocksOptions): BlockHashes | undefined
}

/** Headers that are kept with a file and given back with it, beside `x-amz-meta-…`. */
export const KEPT_HEADERS = [
  'content-type',
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
] as const

/** What came with a file and is to be given out with it. */
export interface FileFacts {
  /** The ETag that was promised for it, such as the MD5 of what was sent or `md5-7` of seven parts. */
  readonly etag?: string | undefined
  readonly md5?: string | undefined
  readonly sha256?: string | undefined
  /** Headers to be repeated: `content-type`, `cache-control`, `x-amz-meta-…`, `x-amz-checksum-…`; lower-case names, 8 KiB in all. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}
