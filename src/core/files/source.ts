import type { Op } from '../op.ts'
import type { FileEntry } from './entry.ts'
import type { PeerSource } from './peer.ts'

/**
 * A tree of files that can be pulled from: another node, an Open-Meteo server, any S3 endpoint, a folder. What it answers is
 * not trusted: keys may lead out of the tree, listings may be cut short or repeat themselves, bytes may be others than listed.
 */
export interface FileSource {
  /** For messages: the kind and where it is, such as "s3 https://…/bucket" or "folder /data". No secret in it. */
  readonly name: string

  /** Whether `list` gives keys in ascending order of `compareKeys`, each once. */
  readonly sorted: boolean

  /**
   * What is there, page by page; a page has at most some thousands. Rejects with `UNREACHABLE`, `UNAUTHENTICATED`,
   * `FORBIDDEN`, with `NOT_FOUND` where the tree itself is unknown, and with `BAD_LISTING` for an answer that contradicts itself.
   * An iteration that ends without rejecting was complete.
   */
  list(scope: ListScope & Op): AsyncIterable<readonly FileEntry[]>

  /**
   * The bytes from `start` (0) up to, without, `end` (the whole rest). Rejects, also while iterating, with `NOT_FOUND`,
   * `CHANGED` when it is no longer what was listed (by ETag, or else size and time), `UNREACHABLE`, `FORBIDDEN`. Yields
   * exactly the bytes asked for, or rejects.
   */
  open(
    entry: FileEntry,
    options?: Op & { readonly start?: number; readonly end?: number },
  ): Promise<AsyncIterable<Uint8Array>>

  /**
   * The bytes of a whole small file at once, as `open` gives them and rejecting as it does; there where that costs less
   * than to iterate. For files of at most `WHOLE_BYTES_MAX`.
   */
  whole?(entry: FileEntry, op?: Op): Promise<Uint8Array>

  /**
   * What to ask over plain HTTP for that part of a large file, for who reads in a way of its own, such as in a thread. Undefined
   * where it cannot be had so; an answer that is not exactly the part says nothing: then `open` tells what is wrong.
   */
  range?(entry: FileEntry, part: { readonly start: number; readonly end: number }): HttpRange | undefined

  /** What only another Flotilla offers. */
  readonly peer?: PeerSource

  close(): Promise<void>
}

export interface HttpRange {
  /** `http://host:port`. */
  readonly origin: string
  /** Path and query as they go over the wire. */
  readonly path: string
  /** With the credentials. */
  readonly headers: Readonly<Record<string, string>>
}

export const WHOLE_BYTES_MAX = 1024 * 1024

/** Which part of the source is looked at; a source may give more, never less. */
export interface ListScope {
  /** Keys that start with one of these; all with none. */
  readonly prefixes?: readonly string[]
  /**
   * Folders that are worth entering, for sources that are listed folder by folder; `folder` ends with a slash. Everything
   * below a folder that is refused is left out.
   */
  readonly enters?: (folder: string) => boolean
}
