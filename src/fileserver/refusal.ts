import type { IncomingMessage, ServerResponse } from 'node:http'
import { openMeteoError } from '../compat/openmeteo/requests.ts'
import type { ErrorBody } from '../core/api.ts'
import { PEER_HEADER, PEER_PATH, PEER_VERSION } from '../core/files/peer-wire.ts'
import { type S3Code, type S3Error, TemporaryRedirect } from '../lib/s3/errors.ts'
import { InvalidApiKey } from './authenticate.ts'
import { errorDocument } from './errors.ts'

/** How much of a body that nobody wants is read, so that its sender comes to read the answer. */
const DISCARD_BYTES_MAX = 16 * 1024 * 1024
const DISCARD_MS_MAX = 5000

/** Answers with an error, in the form that whoever asked knows. The head of the answer must not have been sent. */
export function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  error: S3Error | InvalidApiKey,
  requestId: string,
): void {
  const { url = '', method, headers } = request
  const { status, type, text } = told(error, url, requestId)
  const body = Buffer.from(text)
  response.statusCode = status
  response.setHeader('content-type', type)
  response.setHeader('content-length', body.byteLength)
  response.setHeader('x-amz-request-id', requestId)
  if (url.startsWith(PEER_PATH)) response.setHeader(PEER_HEADER, PEER_VERSION)
  if (error instanceof TemporaryRedirect) response.setHeader('location', error.url + url)
  if (status === 503) response.setHeader('retry-after', '1')
  // Whoever waited for a word to send the body may do so now, or not: nobody knows what would come next.
  if (headers.expect !== undefined) response.setHeader('connection', 'close')
  if (method === 'HEAD') response.end()
  else response.end(body)
  if (!request.complete && headers.expect === undefined) discard(request)
}

interface Told {
  readonly status: number
  readonly type: string
  readonly text: string
}

function told(error: S3Error | InvalidApiKey, url: string, requestId: string): Told {
  const isPeer = url.startsWith(PEER_PATH)
  const isApiKey = /[?&]apikey=/.test(url)
  if (error instanceof InvalidApiKey) {
    return isPeer ? toPeer(401, 'UNAUTHENTICATED', error.message) : json(401, openMeteoError(error.message))
  }
  if (isPeer)
    return toPeer(error.status === 403 ? 401 : error.status, OF_PEER[error.code] ?? 'BAD_REQUEST', error.message)
  if (isApiKey) return json(error.status, openMeteoError(REASONS[error.code] ?? error.message))
  const path = url.slice(0, 2048).replace(/\?.*/s, '')
  return { status: error.status, type: 'application/xml', text: errorDocument(error, path, requestId) }
}

/** As its server words them. */
const REASONS: Readonly<Partial<Record<S3Code, string>>> = {
  AccessDenied: 'Forbidden',
  NoSuchBucket: 'Not Found',
  NoSuchKey: 'Not Found',
  SlowDown: 'Service Unavailable',
}

const OF_PEER: Readonly<Partial<Record<S3Code, ErrorBody['error']['code']>>> = {
  AccessDenied: 'UNAUTHENTICATED',
  InternalError: 'INTERNAL',
  InvalidAccessKeyId: 'UNAUTHENTICATED',
  RequestTimeTooSkewed: 'UNAUTHENTICATED',
  SignatureDoesNotMatch: 'UNAUTHENTICATED',
  SlowDown: 'RATE_LIMITED',
}

function toPeer(status: number, code: ErrorBody['error']['code'], message: string): Told {
  const body: ErrorBody = { error: { code, message } }
  return json(status, JSON.stringify(body))
}

function json(status: number, text: string): Told {
  return { status, type: 'application/json', text }
}

/** A connection that is closed with bytes unread takes the answer with it. */
export function discard(request: IncomingMessage): void {
  let bytes = 0
  const cut = (): void => void request.socket.destroy()
  const timer = setTimeout(cut, DISCARD_MS_MAX)
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.byteLength
    if (bytes > DISCARD_BYTES_MAX) cut()
  })
  request.once('close', () => clearTimeout(timer))
  request.once('end', () => clearTimeout(timer))
  request.resume()
}
