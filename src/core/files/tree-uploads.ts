import type { Op } from '../op.ts'
import type { FileFacts } from './tree-index.ts'
import type { Conditions, PutOptions, PutResult, Turn } from './tree-files.ts'

/**
 * Uploads of one tree in parts: files that come in pieces, in any order, and become visible only as a whole. What was answered is
 * durable; uploads survive restarts, and those that nobody has touched for long are swept away with their parts.
 */
export interface TreeUploads {
  /**
   * Begins an upload of `key`; resolves with its id: 1 to 128 letters, digits, `-` and `_`, not to be guessed. With an `id` it is
   * that one, and an upload of the key that has it already goes on.
   */
  create(key: string, options: UploadOptions & Op): Promise<string>

  /** Undefined where there is none of that key and id. */
  find(key: string, id: string): Promise<Upload | undefined>

  /** Those whose key starts with `prefix`, by key, then by id, that come after the pair. */
  list(options: UploadsPage & Op): Promise<readonly Upload[]>

  /**
   * Takes a part, `number` from 1 to 10,000; an earlier one of that number is replaced. Without an `etag` in its facts it is the
   * MD5. Rejects as `TreeFiles.put` does, and with `NOT_FOUND` where there is no such upload, or no longer one at the end.
   */
  putPart(
    key: string,
    id: string,
    number: number,
    body: AsyncIterable<Uint8Array>,
    options: PartOptions & Op,
  ): Promise<UploadPart>

  /** In the order of their numbers, after `after` (0: from the first). Undefined where there is no such upload. */
  parts(
    key: string,
    id: string,
    options: { readonly after: number; readonly limit: number },
  ): Promise<readonly UploadPart[] | undefined>

  /**
   * Joins these parts in this order to the file and ends the upload; parts that are not named are dropped. Rejects with `NOT_FOUND` where
   * there is no such upload, `CHANGED` where a part is not there with that ETag; the upload stays then, and stays where a
   * condition failed too.
   */
  complete(key: string, id: string, options: CompleteOptions & Op): Promise<PutResult>

  /** Whether there was one. */
  abort(key: string, id: string): Promise<boolean>
}

export interface UploadOptions {
  readonly id?: string | undefined
  /** Kept, and given back by `find`. */
  readonly facts?: FileFacts | undefined
  readonly modifiedMs?: number | undefined
}

export interface Upload {
  readonly key: string
  readonly id: string
  readonly startedMs: number
  readonly facts?: FileFacts | undefined
  readonly modifiedMs?: number | undefined
}

export interface UploadsPage {
  readonly prefix: string
  readonly afterKey: string
  readonly afterId: string
  readonly limit: number
}

export type PartOptions = Omit<PutOptions, keyof Conditions | 'modifiedMs' | 'turn' | 'follow' | 'digests'>

export interface UploadPart {
  readonly number: number
  readonly size: number
  readonly etag: string
  readonly modifiedMs: number
  /** The headers of its facts. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

export interface CompleteOptions extends Conditions {
  readonly parts: readonly { readonly number: number; readonly etag: string }[]
  /** Of the whole file, with its `etag`. */
  readonly facts: FileFacts
  readonly modifiedMs?: number | undefined
  readonly turn?: Turn | undefined
}
