import type { IncomingMessage } from 'node:http'
import type { Clock } from '../core/clock.ts'
import { S3Error } from '../lib/s3/errors.ts'
import type { Payload } from '../lib/s3/signed-request.ts'
import { SignatureVerifier } from '../lib/s3/sigv4.ts'
import { parameter, type Target } from '../lib/s3/target.ts'
import type { Access } from './access.ts'
import type { Authenticated } from './exchange.ts'

const UNSIGNED: Payload = { kind: 'unsigned' }
const NOTHING: Readonly<Record<string, string>> = {}

/** A key in the query is not one that the file service has. Its clients are told in their own form. */
export class InvalidApiKey extends Error {
  constructor() {
    super('Invalid API key')
    this.name = 'InvalidApiKey'
  }
}

/** Finds out who asks, in one place for every request. */
export class Authenticator {
  readonly #access: () => Access
  readonly #clock: Clock
  readonly #verifier: SignatureVerifier

  constructor(access: () => Access, clock: Clock) {
    this.#access = access
    this.#clock = clock
    this.#verifier = new SignatureVerifier((accessKey) => access().secretOf(accessKey))
  }

  /** Throws an `S3Error` or `InvalidApiKey`; somebody without any credentials is `anonymous`. */
  authenticate(request: IncomingMessage, target: Target, bucket: string | undefined): Authenticated {
    const access = this.#access()
    const { query } = target
    const apiKey = bearerOf(request) ?? (query.length === 0 ? undefined : parameter(query, 'apikey'))
    if (!isSigned(request, target)) {
      const caller = apiKey === undefined ? access.anonymous : access.ofApiKey(apiKey)
      if (caller === undefined) throw new InvalidApiKey()
      return { caller, payload: announcedPayload(request), hoisted: NOTHING }
    }
    // Without any credentials there is nothing to check with, and what is open is so for anybody.
    if (!access.hasCredentials) {
      return { caller: access.anonymous, payload: announcedPayload(request), hoisted: NOTHING }
    }
    const verified = this.#verify(request, target, bucket)
    const caller = verified && access.ofAccessKey(verified.accessKey)
    if (verified === undefined || caller === undefined) throw new S3Error('InvalidAccessKeyId')
    return { caller, payload: verified.payload, hoisted: verified.hoisted }
  }

  #verify({ headersDistinct: headers, method = '' }: IncomingMessage, target: Target, bucket: string | undefined) {
    const signed = { method, headers, bucket, nowMs: this.#clock.nowMs() }
    try {
      return this.#verifier.verify({ ...signed, target })
    } catch (error) {
      // How long a client waits is its own affair: a signed URL may be given that wish later.
      const query = target.query.filter(([name]) => name !== 'ack')
      if (query.length === target.query.length || !(error instanceof S3Error)) throw error
      return this.#verifier.verify({ ...signed, target: { ...target, query } })
    }
  }
}

const OF_SIGNATURE: ReadonlySet<string> = new Set(['X-Amz-Algorithm', 'X-Amz-Signature', 'AWSAccessKeyId'])

/** Our own nodes send keys in a header, where they are not logged with the URL. */
export function bearerOf({ headers: { authorization } }: IncomingMessage): string | undefined {
  return authorization === undefined ? undefined : /^Bearer +(\S+) *$/i.exec(authorization)?.[1]
}

function isSigned(request: IncomingMessage, { query }: Target): boolean {
  if (request.headers.authorization !== undefined) return bearerOf(request) === undefined
  return query.some(([name]) => OF_SIGNATURE.has(name))
}

/** How the body comes, where nobody signed for it. */
function announcedPayload({ headers }: IncomingMessage): Payload {
  const sha256 = headers['x-amz-content-sha256']
  if (typeof sha256 !== 'string') return UNSIGNED
  if (/^[0-9a-f]{64}$/.test(sha256)) return { kind: 'sha256', sha256 }
  if (sha256.startsWith('STREAMING-')) return { kind: 'chunked', hasTrailer: sha256.endsWith('-TRAILER') }
  return UNSIGNED
}
