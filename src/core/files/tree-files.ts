import type { Op } from '../op.ts'
import type { FileEntry } from './entry.ts'
import type { Growing } from './growing.ts'
import type { FileFacts } from './tree-index.ts'

/**
 * Reads and writes the files of one tree by key. Nothing outside the folder is ever read or touched, whatever is exchanged for
 * links meanwhile. A key that no file can be called (dot segments, empty segments, too long parts) lies under an escaped name.
 */
export interface TreeFiles {
  /** Undefined where there is no such file. The content stays what it was at this moment until `close`, except for a file that is written in place. */
  open(key: string, op?: Op): Promise<OpenedFile | undefined>

  /**
   * Reads small files together, each whole into its place: a fraction of the cost of opening one after the other. Answers in their order;
   * undefined where there is not exactly this file, or it cannot be read: then its place holds anything.
   */
  gather(wanted: readonly WantedFile[]): Promise<readonly (FileEntry | undefined)[]>

  /**
   * Takes the whole body, verifies, and only then makes it visible, at once and durable. Rejects with what `body` rejects with,
   * `CORRUPT` where it is not what was announced, `DISK_FULL`, `BAD_REQUEST` where a folder is in the place of the file or the other
   * way round; nothing has changed then. Constant memory. The chunks of `body` must stay as they are: they are written while
   * the next is asked for.
   */
  put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions & Op): Promise<PutResult>

  remove(key: string, options?: RemoveOptions & Op): Promise<'removed' | 'absent' | 'failed-condition'>
}

/** Where small files are put together. */
export interface PutTogether {
  /**
   * As `put` of each, at a fraction of the cost: settles each for itself, in their order. No key twice. Rejects only where the signal aborted before
   * anything was done.
   */
  putAll(files: readonly GivenFile[], op?: Op): Promise<readonly PromiseSettledResult<PutResult>[]>
}

/** A file that is there as a whole, to be put. */
export interface GivenFile {
  readonly key: string
  readonly bytes: Uint8Array
  readonly options: Omit<PutOptions, 'check' | 'follow'>
}

export interface RemoveOptions extends Conditions {
  readonly turn?: Turn | undefined
}

/** Takes part in the moment at which a file takes its place or leaves it: one at a time for each key, in the order in which it happens. */
export interface Turn {
  /** False: it is not done, as if a condition had failed. Asked under the lock of the key, before anything is visible. */
  readonly isWanted?: (() => boolean) | undefined
  /** Where there is no such file here: the ETag of the one that others still have, which conditions are about then. Under the lock of the key. */
  readonly elsewhere?: (() => string | undefined) | undefined
  /** Under the lock of the key, when it has been done: the operation resolves after this. `entry` undefined: the file is gone, or was not there. */
  readonly done: (entry: FileEntry | undefined) => Promise<void>
}

/** A file as it was listed, and where its bytes are to go. */
export interface WantedFile {
  readonly key: string
  readonly etag: string
  /** As long as the file. */
  readonly into: Uint8Array
}

/** Conditions of a write: it is not done where one does not hold at the moment the file would become visible. */
export interface Conditions {
  /** ETags without quotes, or `*` for any. */
  readonly ifMatch?: readonly string[] | undefined
  /** Likewise; `*`: only where there is none. */
  readonly ifNoneMatch?: readonly string[] | undefined
}

export interface PutOptions extends Conditions {
  /** What was announced of the whole body; verified. */
  readonly size?: number | undefined
  readonly md5?: string | undefined
  readonly sha256?: string | undefined
  /** Looks at every chunk besides, such as another checksum; throws where it is wrong. Called with undefined at the end. */
  readonly check?: ((chunk: Uint8Array | undefined) => void) | undefined
  /** Kept with it. Without an `etag` in it the MD5 of the body is. Asked for after the body was read. */
  readonly facts?: (() => FileFacts) | undefined
  readonly modifiedMs?: number | undefined
  readonly turn?: Turn | undefined
  /** Called once more than `FOLLOW_BYTES` have come, or at once for a body that was announced as that long. */
  readonly follow?: ((growing: Growing) => void) | undefined
  /** Nobody else has the chunks of the body: their memory is given back as soon as they are written. */
  readonly isOwn?: boolean | undefined
  /** What is computed and kept though nobody announced it; MD5 alone unless told. */
  readonly digests?: { readonly md5: boolean; readonly sha256: boolean } | undefined
}

/** Shorter bodies are there before anybody could read behind. */
export const FOLLOW_BYTES = 1024 * 1024

export type PutResult = { readonly entry: FileEntry } | 'failed-condition'

export interface OpenedFile {
  readonly entry: FileEntry
  readonly facts: FileFacts | undefined
  /** The whole, where it is small enough to have been read at once; costs nothing more. */
  readonly bytes: Uint8Array | undefined
  /**
   * The path from the root of the tree at which it lies in truth, without any link, for who opens it by itself; undefined where that is not known,
   * or where it was small enough to have been read at once.
   */
  place(): Promise<string | undefined>
  /** `end` is exclusive. Rejects with `CHANGED` when the file is found to have been written to, or cut, meanwhile. */
  read(start: number, end: number, options?: ReadOptions): AsyncIterable<Uint8Array>
  /** Must be called, once. */
  close(): Promise<void>
}

export interface ReadOptions extends Op {
  /** A chunk may be overwritten once the next is asked for: costs less memory, for those who are done with it by then. */
  readonly reuse?: boolean | undefined
  /** In chunks of that many bytes, where they are read at all: for those who hold the whole in any case. */
  readonly chunkBytes?: number | undefined
}
