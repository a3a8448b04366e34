import { createHmac, createSecretKey, hash, type KeyObject, timingSafeEqual } from 'node:crypto'
import type { Secret } from '../secret.ts'
import { type Parameter, uriEncode } from './target.ts'

export const ALGORITHM = 'AWS4-HMAC-SHA256'
export const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD'
export const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/** Lower-case names. `headersDistinct` of Node.js keeps apart what was sent apart, as signatures need it. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

/** What is signed, in the parts that Signature Version 4 makes a text of. */
export interface Canonical {
  readonly method: string
  /** Encoded. */
  readonly path: string
  readonly query: string
  readonly headers: Headers
  /** Lower-case, in the order of the signature. */
  readonly signedHeaders: readonly string[]
  readonly payload: string
}

/** facts: AWS, "Create a signed AWS API request", step 1. */
export function canonicalRequest({ method, path, query, headers, signedHeaders, payload }: Canonical): string {
  let lines = ''
  for (const name of signedHeaders) lines += `${name}:${canonicalValue(headers[name])}\n`
  return `${method}\n${path}\n${query}\n${lines}\n${signedHeaders.join(';')}\n${payload}`
}

export function canonicalQuery(query: readonly Parameter[]): string {
  return query
    .map(([name, value]): Parameter => [uriEncode(name), uriEncode(value)])
    .toSorted(([a, x], [b, y]) => compare(a, b) || compare(x, y))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

/** Headers hold what was sent as Latin-1, and all else is ASCII: hashed are the bytes that were sent. */
export function stringToSign(dateTime: string, scope: string, canonical: string): string {
  return `${ALGORITHM}\n${dateTime}\n${scope}\n${hash('sha256', Buffer.from(canonical, 'latin1'))}`
}

export function hmacHex(key: KeyObject, text: string): string {
  return createHmac('sha256', key).update(text).digest('hex')
}

/** Takes the same time wherever the two differ. */
export function isSame(actual: string, expected: string): boolean {
  const [a, b] = [Buffer.from(actual), Buffer.from(expected)]
  return a.byteLength === b.byteLength && timingSafeEqual(a, b)
}

/** `20130524T000000Z` */
export function dateTimeOf(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d+/g, '')
}

/** Milliseconds; undefined for what is no such date. */
export function parseDateTime(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second] = match
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(ms) ? undefined : ms
}

/** The keys that are derived from a secret for one day and region: kept, because deriving one costs more than using it. */
export class SigningKeys {
  readonly #ofSecret = new WeakMap<Secret, Map<string, KeyObject>>()

  of(secret: Secret, date: string, region: string): KeyObject {
    const keys = this.#ofSecret.get(secret) ?? new Map<string, KeyObject>()
    this.#ofSecret.set(secret, keys)
    const known = keys.get(`${date}/${region}`)
    if (known !== undefined) return known
    // A client may name any region and a few days.
    if (keys.size >= 16) keys.clear()
    const key = derive(secret, date, region)
    keys.set(`${date}/${region}`, key)
    return key
  }
}

function derive(secret: Secret, ...scope: readonly string[]): KeyObject {
  let key = Buffer.from(`AWS4${secret.reveal()}`)
  for (const part of [...scope, 's3', 'aws4_request']) key = createHmac('sha256', key).update(part).digest()
  return createSecretKey(key)
}

function canonicalValue(value: string | readonly string[] | undefined): string {
  if (value === undefined) return ''
  if (typeof value !== 'string') return value.map(canonicalValue).join(',')
  // Not \s: the bytes of UTF-8 look like a no-break space, for one.
  return /^[ \t]|[ \t]$|\t|  /.test(value) ? value.replace(/[ \t]+/g, ' ').replace(/^ | $/g, '') : value
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
