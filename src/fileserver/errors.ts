import type { ServerResponse } from 'node:http'
import { isError } from '../core/errors.ts'
import { type S3Code, S3Error } from '../lib/s3/errors.ts'
import { xmlDocument } from '../lib/s3/xml-write.ts'

/** What of ours is told as what of S3. */
const CODES: Readonly<Record<string, S3Code>> = {
  NOT_FOUND: 'NoSuchKey',
  CORRUPT: 'BadDigest',
  BAD_REQUEST: 'InvalidRequest',
  CHANGED: 'PreconditionFailed',
  DISK_FULL: 'StorageFull',
  TOO_LARGE: 'EntityTooLarge',
  FORBIDDEN: 'AccessDenied',
  UNREACHABLE: 'ServiceUnavailable',
  NOT_READY: 'ServiceUnavailable',
  RATE_LIMITED: 'SlowDown',
}

/** Undefined for what is a fault of ours, of which only the log is told. */
export function toS3Error(error: unknown): S3Error | undefined {
  if (error instanceof S3Error) return error
  if (!isError(error)) return undefined
  const code = CODES[error.code]
  // Messages of those two may name folders of this machine.
  const isPrivate = error.code === 'UNREACHABLE' || error.code === 'DISK_FULL'
  return code && new S3Error(code, isPrivate || error.code === 'CORRUPT' ? undefined : error.message)
}

/** The document of an error, as S3 has it. `resource`: the path that was asked for. */
export function errorDocument(error: S3Error, resource: string, requestId: string): string {
  const elements = { Code: error.code, Message: error.message, Resource: resource, ...error.elements }
  return xmlDocument('Error', { ...elements, RequestId: requestId, HostId: requestId })
}

export function sendXml({ response, requestId }: Answered, status: number, document: string): void {
  const body = Buffer.from(document)
  response.writeHead(status, {
    'content-type': 'application/xml',
    'content-length': body.byteLength,
    'x-amz-request-id': requestId,
  })
  response.end(body)
}

interface Answered {
  readonly response: ServerResponse
  readonly requestId: string
}
