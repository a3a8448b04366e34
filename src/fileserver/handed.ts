import type { IncomingMessage } from 'node:http'
import { posix } from 'node:path'
import type { Part } from '../core/files/tree-parts.ts'
import { isError, messageOf } from '../core/errors.ts'
import { S3Error } from '../lib/s3/errors.ts'
import type { ServedTree } from './options.ts'

/*
 * The nginx in front may take the body of a PUT to the disk and hand over the file. Whether it may it asks before the first byte, with the very
 * request that is to come. All of it is trusted on nginx's own socket alone, where nobody else can say it.
 */

/** Where nginx has written the body. */
export const BODY_FILE_HEADER = 'x-flotilla-body-file'
/** How long the body is, as it was announced to nginx, which takes no other. */
export const BODY_BYTES_HEADER = 'x-flotilla-body-bytes'

/** A body that does not come with its request. */
export interface Handed {
  readonly bytes: number
  /** Undefined: nginx asks whether it may take it. */
  readonly file: string | undefined
}

/** What nginx says on its own socket; undefined of an ordinary request. Throws an `S3Error` for what nginx would not say. */
export function handedBy({ headers, method }: IncomingMessage): Handed | undefined {
  const bytes = headers[BODY_BYTES_HEADER]
  const file = headers[BODY_FILE_HEADER]
  if (bytes === undefined && file === undefined) return undefined
  const isBody = (headers['content-length'] ?? '0') !== '0' || headers['transfer-encoding'] !== undefined
  if (method !== 'PUT' || isBody || typeof bytes !== 'string' || !/^\d{1,15}$/.test(bytes) || Array.isArray(file)) {
    throw new S3Error('InvalidRequest', 'This is no body that nginx has taken.')
  }
  return { bytes: Number(bytes), file }
}

/** Whether nginx asks if it may take the body. */
export function isQuestion({ headers }: IncomingMessage): boolean {
  return headers[BODY_BYTES_HEADER] !== undefined && headers[BODY_FILE_HEADER] === undefined
}

/** The file becomes ours. nginx says its whole path, by whatever name it knows the tree. */
export async function takeHanded({ name, parts }: ServedTree, file: string): Promise<Part> {
  const mark = `/${posix.basename(parts?.incoming ?? '')}/`
  const at = file.lastIndexOf(mark)
  if (parts === undefined || at < 0) throw lost(name, `it lies in another folder, ${posix.dirname(file)}`)
  try {
    return await parts.take(file.slice(at + mark.length))
  } catch (error) {
    throw isError(error, 'DISK_FULL') ? error : lost(name, messageOf(error))
  }
}

/** Told as a fault of ours, which it is: the request is in order, but nginx works for another folder, or as a user whose files are not for us. */
function lost(tree: string, why: string): Error {
  return new Error(`what nginx has written for the tree ${tree} cannot be taken: ${why}`)
}
