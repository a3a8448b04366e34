import type { Op } from './op.ts'

/** A tree of byte objects, read by key: a local folder, another node, a hub, any S3 endpoint. */
export interface ObjectSource {
  /** For messages: `hub http://…`, `peer erd2`, `folder /mnt/share/blobs`. */
  readonly name: string

  /** Objects under `prefix`, sorted by key. Rejects with `UNREACHABLE` when the source cannot be asked. */
  list(options: { readonly prefix: string } & Op): AsyncIterable<ObjectInfo>

  /** The bytes from `offset` on. Rejects with `NOT_FOUND` or `UNREACHABLE`. */
  open(key: string, options?: Op & { readonly offset?: number }): Promise<AsyncIterable<Uint8Array>>
}

export interface ObjectInfo {
  readonly key: string
  readonly size: number
  readonly modifiedMs: number
  readonly etag: string
}
