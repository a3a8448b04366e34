import type { Secret } from '../secret.ts'
import {
  ALGORITHM,
  canonicalQuery,
  canonicalRequest,
  dateTimeOf,
  type Headers,
  hmacHex,
  SigningKeys,
  stringToSign,
} from './canonical.ts'
import type { Parameter } from './target.ts'

export interface S3Credentials {
  readonly accessKey: string
  readonly secret: Secret
  /** Of credentials that are valid for a while only. */
  readonly sessionToken?: Secret | undefined
}

export interface RequestToSign {
  readonly method: string
  /** Encoded, as it will be sent. */
  readonly path: string
  /** Decoded. */
  readonly query: readonly Parameter[]
  /** Lower-case names; all of them are signed. `host` must be one. */
  readonly headers: Readonly<Record<string, string>>
  /** Hex SHA-256 of the body, or one of the words that stand for it. */
  readonly payload: string
  readonly nowMs: number
}

/** Signs requests with Signature Version 4 in headers. */
export class Signer {
  readonly #credentials: S3Credentials
  readonly #region: string
  readonly #keys = new SigningKeys()

  constructor(credentials: S3Credentials, region: string) {
    this.#credentials = credentials
    this.#region = region
  }

  /** The headers of the request with what makes it signed. */
  sign(request: RequestToSign): Record<string, string> {
    const { accessKey, secret, sessionToken } = this.#credentials
    const dateTime = dateTimeOf(request.nowMs)
    const headers: Record<string, string> = {
      ...request.headers,
      'x-amz-content-sha256': request.payload,
      'x-amz-date': dateTime,
      ...(sessionToken !== undefined && { 'x-amz-security-token': sessionToken.reveal() }),
    }
    const signedHeaders = Object.keys(headers).toSorted()
    const canonical = canonicalRequest({
      method: request.method,
      path: request.path,
      query: canonicalQuery(request.query),
      headers: headers satisfies Headers,
      signedHeaders,
      payload: request.payload,
    })
    const date = dateTime.slice(0, 8)
    const scope = `${date}/${this.#region}/s3/aws4_request`
    const signature = hmacHex(this.#keys.of(secret, date, this.#region), stringToSign(dateTime, scope, canonical))
    headers['authorization'] =
      `${ALGORITHM} Credential=${accessKey}/${scope}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`
    return headers
  }
}
