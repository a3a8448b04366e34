import { ALGORITHM, dateTimeOf, type Headers } from './canonical.ts'
import { type S3Code, S3Error } from './errors.ts'
import { parameter, type Parameter, type Target } from './target.ts'

/** What a request says of its signature; nothing of it is proved. */
export interface Claim {
  readonly accessKey: string
  /** `20130524`, and the region, of the scope. */
  readonly date: string
  readonly region: string
  readonly signedHeaders: readonly string[]
  /** Lower-case hex. */
  readonly signature: string
  /** `20130524T000000Z` */
  readonly dateTime: string
  /** Of presigned URLs. */
  readonly expiresMs?: number
  readonly hoisted: Readonly<Record<string, string>>
  /** The code of what has no proper form. */
  readonly malformed: S3Code
}

const EXPIRES_MAX_S = 7 * 24 * 60 * 60

/** How a request is signed. Undefined: not at all. Throws where it is in more than one way, or in one that is not known. */
export function signatureIn(request: {
  readonly headers: Headers
  readonly target: Target
}): 'header' | 'query' | 'v2' | undefined {
  const authorization = single(request.headers['authorization'])
  const { query } = request.target
  const isV4 = parameter(query, 'X-Amz-Algorithm') !== undefined || parameter(query, 'X-Amz-Signature') !== undefined
  const isV2 = parameter(query, 'AWSAccessKeyId') !== undefined && parameter(query, 'Signature') !== undefined
  if (Number(authorization !== undefined) + Number(isV4) + Number(isV2) > 1) {
    throw new S3Error('InvalidArgument', 'Only one auth mechanism allowed')
  }
  if (isV4) return 'query'
  if (isV2) return 'v2'
  if (authorization === undefined) return undefined
  if (authorization.startsWith(`${ALGORITHM} `)) return 'header'
  throw new S3Error(
    'InvalidRequest',
    `The authorization mechanism you have provided is not supported. Please use ${ALGORITHM}.`,
  )
}

export function headerClaim(headers: Headers): Claim {
  const malformed = 'AuthorizationHeaderMalformed'
  const parts = new Map<string, string>()
  for (const part of (single(headers['authorization']) ?? '').slice(ALGORITHM.length).split(',')) {
    const equals = part.indexOf('=')
    const name = part.slice(0, equals).trim()
    if (equals === -1 || parts.has(name)) throw new S3Error(malformed)
    parts.set(name, part.slice(equals + 1).trim())
  }
  return {
    ...partsOf((name) => parts.get(name), malformed),
    dateTime: single(headers['x-amz-date']) ?? fromHttpDate(single(headers['date'])) ?? '',
    hoisted: {},
    malformed,
  }
}

export function queryClaim(query: readonly Parameter[]): Claim {
  const malformed = 'AuthorizationQueryParametersError'
  const parts = new Map<string, string>()
  const hoisted: Record<string, string> = {}
  for (const [name, value] of query) {
    const lower = name.toLowerCase()
    if (!lower.startsWith('x-amz-')) continue
    if (parts.has(lower)) throw new S3Error(malformed, `${name} is given more than once.`)
    parts.set(lower, value)
    if (!NOT_HOISTED.test(lower)) hoisted[lower] = value
  }
  if (parameter(query, 'X-Amz-Algorithm') !== ALGORITHM) {
    throw new S3Error(malformed, `X-Amz-Algorithm only supports "${ALGORITHM}"`)
  }
  return {
    ...partsOf((name) => parts.get(`x-amz-${name.toLowerCase()}`), malformed),
    dateTime: parts.get('x-amz-date') ?? '',
    expiresMs: expiresOf(parts.get('x-amz-expires')),
    hoisted,
    malformed,
  }
}

/** What belongs to the signature; and checksums, which Amazon's SDK makes of an empty body when it signs for one not known yet. */
const NOT_HOISTED =
  /^x-amz-(?:algorithm|credential|date|expires|signedheaders|signature|content-sha256|checksum-.*|sdk-checksum-algorithm)$/

function partsOf(
  partOf: (name: string) => string | undefined,
  malformed: S3Code,
): Pick<Claim, 'accessKey' | 'date' | 'region' | 'signedHeaders' | 'signature'> {
  const [credential, headers, signature] = [partOf('Credential'), partOf('SignedHeaders'), partOf('Signature')]
  if (credential === undefined || headers === undefined || signature === undefined) {
    throw new S3Error(malformed, 'A signature needs Credential, SignedHeaders and Signature.')
  }
  const scope = /^([!-~]+)\/(\d{8})\/([\w.-]*)\/(\w+)\/aws4_request$/.exec(credential)
  if (scope === null) {
    throw new S3Error(malformed, 'Credential must have the form ACCESS_KEY/YYYYMMDD/REGION/s3/aws4_request.')
  }
  const [, accessKey = '', date = '', region = '', service] = scope
  if (service !== 's3') throw new S3Error(malformed, `Incorrect service "${service}". This endpoint belongs to "s3".`)
  if (!/^[0-9a-f]{64}$/.test(signature)) throw new S3Error(malformed, 'Signature must be 64 hexadecimal digits.')
  if (!/^[a-z0-9!#$%&'*+.^_`|~-]+(?:;[a-z0-9!#$%&'*+.^_`|~-]+)*$/.test(headers)) {
    throw new S3Error(malformed, 'SignedHeaders must be names in lower case.')
  }
  return { accessKey, date, region, signedHeaders: headers.split(';'), signature }
}

function expiresOf(text: string | undefined): number {
  const seconds = /^\d{1,6}$/.test(text ?? '') ? Number(text) : 0
  if (seconds < 1 || seconds > EXPIRES_MAX_S) {
    throw new S3Error(
      'AuthorizationQueryParametersError',
      `X-Amz-Expires must be a number of seconds from 1 to ${EXPIRES_MAX_S}`,
    )
  }
  return seconds * 1000
}

function fromHttpDate(text: string | undefined): string | undefined {
  const ms = Date.parse(text ?? '')
  return Number.isNaN(ms) ? undefined : dateTimeOf(ms)
}

function single(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'object' ? value.join(',') : value
}
