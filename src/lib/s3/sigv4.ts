import type { KeyObject } from 'node:crypto'
import type { Secret } from '../secret.ts'
import {
  ALGORITHM,
  canonicalQuery,
  canonicalRequest,
  EMPTY_SHA256,
  type Headers,
  hmacHex,
  isSame,
  parseDateTime,
  SigningKeys,
  stringToSign,
  UNSIGNED_PAYLOAD,
} from './canonical.ts'
import { S3Error } from './errors.ts'
import { type Claim, headerClaim, queryClaim, signatureIn } from './sigv4-claim.ts'
import type { ChunkSeed, Payload, SignedRequest, Verified } from './signed-request.ts'
import { verifyV2 } from './sigv2.ts'
import { parameter, uriEncodePath } from './target.ts'

const SKEW_MS = 15 * 60_000

/**
 * Checks who sent a request: Signature Version 4 in the header or in the query (any region), Version 2 in the query. Undefined for a
 * request without any signature. The path is taken as it was sent, or as its decoded form is encoded by rule; never normalised.
 * Throws an `S3Error`: `InvalidAccessKeyId`, `SignatureDoesNotMatch`, `RequestTimeTooSkewed`, `AccessDenied` for one that
 * has expired or leaves an `x-amz-` header unsigned, and others for what has no proper form.
 */
export class SignatureVerifier {
  readonly #secretOf: (accessKey: string) => Secret | undefined
  readonly #keys = new SigningKeys()

  constructor(secretOf: (accessKey: string) => Secret | undefined) {
    this.#secretOf = secretOf
  }

  verify(request: SignedRequest): Verified | undefined {
    const kind = signatureIn(request)
    if (kind === undefined) return undefined
    if (kind === 'v2') return verifyV2(request, (accessKey) => this.#secret(accessKey))
    const claim = kind === 'header' ? headerClaim(request.headers) : queryClaim(request.target.query)
    checkTime(claim, request.nowMs)
    checkHeaders(claim, request.headers)
    const key = this.#keys.of(this.#secret(claim.accessKey), claim.date, claim.region)
    const payload = payloadOf(claim, request)
    const scope = `${claim.date}/${claim.region}/s3/aws4_request`
    checkSignature(claim, request, { key, scope, payload })
    const seed = { key, dateTime: claim.dateTime, scope, signature: claim.signature }
    return { accessKey: claim.accessKey, payload: parsePayload(payload, seed), hoisted: claim.hoisted }
  }

  #secret(accessKey: string): Secret {
    const secret = this.#secretOf(accessKey)
    if (secret === undefined) throw new S3Error('InvalidAccessKeyId', undefined, { AWSAccessKeyId: accessKey })
    return secret
  }
}

interface Material {
  readonly key: KeyObject
  readonly scope: string
  readonly payload: string
}

function checkSignature(claim: Claim, { method, target, headers }: SignedRequest, { key, scope, payload }: Material) {
  const query = canonicalQuery(target.query.filter(([name]) => name !== 'X-Amz-Signature'))
  const parts = { method, query, headers, signedHeaders: claim.signedHeaders, payload }
  const sent = canonicalRequest({ ...parts, path: target.rawPath })
  const text = stringToSign(claim.dateTime, scope, sent)
  if (isSame(claim.signature, hmacHex(key, text))) return
  const byRule = uriEncodePath(target.path)
  if (byRule !== target.rawPath) {
    const other = stringToSign(claim.dateTime, scope, canonicalRequest({ ...parts, path: byRule }))
    if (isSame(claim.signature, hmacHex(key, other))) return
  }
  throw new S3Error('SignatureDoesNotMatch', undefined, {
    AWSAccessKeyId: claim.accessKey,
    StringToSign: text,
    SignatureProvided: claim.signature,
    CanonicalRequest: sent,
  })
}

function checkTime(claim: Claim, nowMs: number): void {
  const sentMs = parseDateTime(claim.dateTime)
  if (sentMs === undefined || !claim.dateTime.startsWith(claim.date)) {
    throw new S3Error(claim.malformed, 'The date of the signature is not valid, or not the one in its scope.')
  }
  if (claim.expiresMs === undefined) {
    if (Math.abs(nowMs - sentMs) > SKEW_MS) throw new S3Error('RequestTimeTooSkewed')
    return
  }
  if (sentMs - nowMs > SKEW_MS) throw new S3Error('AccessDenied', 'Request is not yet valid')
  if (nowMs > sentMs + claim.expiresMs) throw new S3Error('AccessDenied', 'Request has expired')
}

/** These are part of every signature in another way. */
const BOUND: ReadonlySet<string> = new Set(['x-amz-content-sha256', 'x-amz-date'])

/** A header that could be added to somebody else's signed request would make it another request. */
function checkHeaders(claim: Claim, headers: Headers): void {
  const signed = new Set(claim.signedHeaders)
  if (!signed.has('host')) throw new S3Error(claim.malformed, 'The header host must be signed.')
  for (const name of claim.signedHeaders) {
    if (headers[name] === undefined) {
      throw new S3Error('SignatureDoesNotMatch', `The header ${name} was signed, but did not arrive.`)
    }
  }
  for (const name of Object.keys(headers)) {
    if (name.startsWith('x-amz-') && !signed.has(name) && !(BOUND.has(name) && !isDateOfQuery(claim, name))) {
      throw new S3Error('AccessDenied', 'There were headers present in the request which were not signed', {
        HeadersNotSigned: name,
      })
    }
  }
}

function isDateOfQuery(claim: Claim, name: string): boolean {
  return name === 'x-amz-date' && claim.expiresMs !== undefined
}

function payloadOf(claim: Claim, { headers, target }: SignedRequest): string {
  const value = headers['x-amz-content-sha256']
  const header = typeof value === 'object' ? value.join(',') : value
  if (claim.expiresMs === undefined) return header ?? EMPTY_SHA256
  return header ?? parameter(target.query, 'X-Amz-Content-Sha256') ?? UNSIGNED_PAYLOAD
}

function parsePayload(value: string, seed: ChunkSeed): Payload {
  switch (value) {
    case UNSIGNED_PAYLOAD:
      return { kind: 'unsigned' }
    case `STREAMING-${ALGORITHM}-PAYLOAD`:
      return { kind: 'chunked', hasTrailer: false, seed }
    case `STREAMING-${ALGORITHM}-PAYLOAD-TRAILER`:
      return { kind: 'chunked', hasTrailer: true, seed }
    case 'STREAMING-UNSIGNED-PAYLOAD-TRAILER':
      return { kind: 'chunked', hasTrailer: true }
    default:
      if (/^[0-9a-f]{64}$/i.test(value)) return { kind: 'sha256', sha256: value.toLowerCase() }
      throw new S3Error(
        'InvalidArgument',
        `x-amz-content-sha256 must be ${UNSIGNED_PAYLOAD}, one of the streaming forms, or a valid sha256 value.`,
      )
  }
}
