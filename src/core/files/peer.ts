import type { Op } from '../op.ts'
import type { FileEntry } from './entry.ts'

/** What one Flotilla tells another beyond S3: changes since a cursor, many small files in one answer, hashes of blocks. */
export interface PeerSource {
  /**
   * What changed after `since`, the cursor of an earlier answer; without one, or with one that is no longer known, everything
   * that is there, and `reset` in the first page. Ends with a page that has a `cursor`. With `waitMs` the answer to
   * an unchanged tree waits that long for a change. One request each time.
   */
  changes(options: ChangesOptions & Op): AsyncIterable<ChangePage>

  /**
   * The contents of these entries, in their order, of at most `BATCH_LIMITS`. An entry that is gone or changed comes without bytes.
   * The bytes are verified by whoever asks.
   */
  batch(entries: readonly FileEntry[], op?: Op): AsyncIterable<BatchItem>

  /** Undefined where the other side has none (yet) for this very content. */
  blocks(entry: FileEntry, options: BlocksOptions & Op): Promise<BlockHashes | undefined>
}

export interface ChangesOptions {
  readonly since?: string | undefined
  readonly prefixes?: readonly string[] | undefined
  readonly waitMs?: number | undefined
}

export interface ChangePage {
  /** What is not in this and the following pages is not there. */
  readonly reset: boolean
  /** A key comes at most once between two cursors; after a reset in ascending order. */
  readonly changes: readonly FileChange[]
  /** Set in the last page only: ask from here next time. Opaque, at most 200 characters. */
  readonly cursor?: string
}

export type FileChange = FileEntry | { readonly key: string; readonly gone: true }

export interface BatchItem {
  readonly entry: FileEntry
  /** Whole; absent where it is gone or is something else by now. */
  readonly bytes?: Uint8Array
}

export const BATCH_LIMITS = { files: 1000, bytes: 16 * 1024 * 1024, fileBytes: 1024 * 1024 } as const

/**
 * Files are compared in two steps, so that a small change of a large file costs little: hashes of the large blocks first,
 * then those of the small blocks in the large ones that differ.
 */
export const BLOCKS = { large: 1024 * 1024, small: 16 * 1024, hashBytes: 16 } as const

export interface BlocksOptions {
  /** The large blocks whose small ones are wanted; absent: the hashes of all large blocks. */
  readonly within?: readonly number[]
}

export interface BlockHashes {
  /**
   * SHA-256 of each block cut to `BLOCKS.hashBytes`, one after the other. Of a large block: the hash of the hashes (cut) of its
   * small blocks. The last block of a file may be short.
   */
  readonly hashes: Uint8Array
  /** Of the whole file. */
  readonly sha256: string
}
