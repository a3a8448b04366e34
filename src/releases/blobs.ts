import { FlotillaError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import { isSha256 } from '../lib/hash.ts'

/**
 * File contents and manifests, each under the SHA-256 of its bytes. What lies under a name never changes, so readers and
 * writers need no lock. A blob counts as held only once it would survive a power loss, unless the store is a node's cache.
 *
 * Every method rejects with `BAD_REQUEST` for a name that is not 64 lower-case hex digits, with `DISK_FULL` when there
 * is no room and with `UNREACHABLE` when the folder cannot be used; none leaves a partial blob behind.
 */
export interface BlobStore {
  /**
   * Sizes in bytes of those of `hashes` that are held. Whoever asked may count on them for half an hour: a `sweep`
   * with an age of an hour leaves them alone.
   */
  sizes(hashes: Iterable<string>, op?: Op): Promise<ReadonlyMap<string, number>>

  /** Those of `hashes` that are not held, each once, in the order given. */
  missing(hashes: Iterable<string>, op?: Op): Promise<readonly string[]>

  has(hash: string, op?: Op): Promise<boolean>

  /**
   * Keeps `content` under `hash`; resolves when it is durable. Nothing is read of `content` when the blob is held already.
   * Rejects with `CORRUPT` when the bytes are not those of the hash and with `TOO_LARGE` beyond `limitBytes`.
   */
  put(hash: string, content: BlobContent, options: PutOptions): Promise<void>

  /** Makes durable what was put with `deferred`. */
  sync(op?: Op): Promise<void>

  /**
   * The bytes from `offset` on. Rejects with `NOT_FOUND`. Read from the start to the end they are verified: the last step
   * of the iteration then rejects with `CORRUPT`, and the blob is set aside as `read` does.
   */
  open(hash: string, options?: Op & { readonly offset?: number }): Promise<AsyncIterable<Uint8Array>>

  /** All its bytes, verified. Rejects with `NOT_FOUND`, or `CORRUPT`: the bad file is then set aside, so that the blob is missing and can be put again. */
  read(hash: string, op?: Op): Promise<Uint8Array>

  /** Removes blobs that are not in `keep` and were neither put nor asked for in the last `olderThanMs`. */
  sweep(keep: ReadonlySet<string>, olderThanMs: number, op?: Op): Promise<Swept>
}

export type BlobContent = Uint8Array | AsyncIterable<Uint8Array>

export interface PutOptions extends Op {
  readonly limitBytes: number
  /** Return before the blob is durable: many in a row are quicker. It counts as held after `sync`. */
  readonly deferred?: boolean | undefined
}

export interface Swept {
  readonly removed: number
  readonly bytes: number
}

/** Throws `BAD_REQUEST` unless `text` is the name of a blob; it then is safe as part of a path. */
export function checkHash(text: string): void {
  if (isSha256(text)) return
  throw new FlotillaError('BAD_REQUEST', `${JSON.stringify(text.slice(0, 80))} is not the SHA-256 of a blob`)
}
