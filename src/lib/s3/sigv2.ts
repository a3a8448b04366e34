import { createHmac } from 'node:crypto'
import type { Secret } from '../secret.ts'
import { type Headers, isSame } from './canonical.ts'
import { S3Error } from './errors.ts'
import type { SignedRequest, Verified } from './signed-request.ts'
import { parameter, type Parameter } from './target.ts'

const EXPIRES_MAX_S = 7 * 24 * 60 * 60
const SKEW_S = 15 * 60

/** Parameters that name another resource than the bare path does. facts: Amazon S3 User Guide, "Signing and authenticating REST requests". */
const SUBRESOURCES: ReadonlySet<string> = new Set(
  `accelerate acl analytics cors defaultObjectAcl delete inventory lifecycle location logging metrics notification
  object-lock partNumber policy replication requestPayment restore select select-type storageClass tagging torrent uploadId
  uploads versionId versioning versions website response-cache-control response-content-disposition
  response-content-encoding response-content-language response-content-type response-expires`.split(/\s+/),
)

/**
 * Signature Version 2 in the query, as `aws s3 presign` still makes by default. It says nothing of the body, nor of headers
 * that are not Amazon's; and nothing of when it was made, so that one may expire a week from now at most.
 */
export function verifyV2(request: SignedRequest, secretOf: (accessKey: string) => Secret): Verified {
  const { query } = request.target
  const accessKey = parameter(query, 'AWSAccessKeyId') ?? ''
  const expires = parameter(query, 'Expires') ?? ''
  checkExpiry(expires, request.nowMs / 1000)
  const secret = secretOf(accessKey)
  const provided = parameter(query, 'Signature') ?? ''
  const expected = createHmac('sha1', secret.reveal()).update(stringToSign(request, expires)).digest('base64')
  if (isSame(provided, expected)) return { accessKey, payload: { kind: 'unsigned' }, hoisted: hoistedOf(query) }
  throw new S3Error('SignatureDoesNotMatch', undefined, { AWSAccessKeyId: accessKey, SignatureProvided: provided })
}

function stringToSign(request: SignedRequest, expires: string): string {
  const { method, target, bucket } = request
  const said = ['content-md5', 'content-type'].map((name) => headerOrParameter(request, name))
  const path = bucket === undefined ? target.rawPath : `/${bucket}${target.rawPath}`
  return [method, ...said, expires, `${amazonHeaders(request)}${path}${subresources(target.query)}`].join('\n')
}

function checkExpiry(expires: string, nowSeconds: number): void {
  if (!/^\d{1,12}$/.test(expires)) throw new S3Error('AccessDenied', 'Query-string authentication requires Expires')
  if (nowSeconds > Number(expires)) throw new S3Error('AccessDenied', 'Request has expired')
  if (Number(expires) > nowSeconds + EXPIRES_MAX_S + SKEW_S) {
    throw new S3Error('AccessDenied', 'A request may expire a week from now at most')
  }
}

function subresources(query: readonly Parameter[]): string {
  const named = query.filter(([name]) => SUBRESOURCES.has(name)).toSorted(([a], [b]) => (a < b ? -1 : 1))
  if (named.length === 0) return ''
  return `?${named.map(([name, value]) => (value === '' ? name : `${name}=${value}`)).join('&')}`
}

/** Amazon's own, of the headers and of the query, sorted, one a line. */
function amazonHeaders({ headers, target }: SignedRequest): string {
  const hoisted = hoistedOf(target.query)
  const names = new Set([...Object.keys(headers).filter((name) => name.startsWith('x-amz-')), ...Object.keys(hoisted)])
  return [...names]
    .toSorted()
    .map((name) => `${name}:${text(headers, name) ?? hoisted[name] ?? ''}\n`)
    .join('')
}

function hoistedOf(query: readonly Parameter[]): Record<string, string> {
  const own = query.map(([name, value]): Parameter => [name.toLowerCase(), value])
  return Object.fromEntries(own.filter(([name]) => name.startsWith('x-amz-')))
}

function headerOrParameter({ headers, target }: SignedRequest, name: string): string {
  return text(headers, name) ?? parameter(target.query, name) ?? ''
}

/** As UTF-8, which Node.js hands over as Latin-1. */
function text(headers: Headers, name: string): string | undefined {
  const value = headers[name]
  const bytes = typeof value === 'object' ? value.join(',') : value
  return bytes === undefined ? undefined : Buffer.from(bytes.trim(), 'latin1').toString()
}
