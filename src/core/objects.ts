import type { Op } from './op.ts'

/** Byte objects, read by key: another node's or a hub's blobs. A key is a relative path with forward slashes. */
export interface ObjectReader {
  /** For messages: `hub http://…`, `peer erd2`, `folder /mnt/share/blobs`. */
  readonly name: string

  /**
   * The bytes from `offset` on, as they are there: whoever needs to be sure verifies them. Rejects with `NOT_FOUND` or
   * `UNREACHABLE`, also while iterating, and with `BAD_REQUEST` for a key that is not a path inside.
   */
  open(key: string, options?: Op & { readonly offset?: number }): Promise<AsyncIterable<Uint8Array>>
}

/** A tree of byte objects that can be listed as well: a folder, any S3 endpoint. */
export interface ObjectSource extends ObjectReader {
  /** Objects whose key starts with `prefix`, sorted by key. Rejects with `UNREACHABLE` when the source cannot be asked. */
  list(options: { readonly prefix: string } & Op): AsyncIterable<ObjectInfo>
}

export interface ObjectInfo {
  readonly key: string
  readonly size: number
  readonly modifiedMs: number
  readonly etag: string
}

/** The key of a blob in every source that holds blobs: `ab/cdef…`, so that no folder grows too large. */
export function blobKey(sha256: string): string {
  return `${sha256.slice(0, 2)}/${sha256.slice(2)}`
}
