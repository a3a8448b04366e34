import { S3Error } from '../../lib/s3/errors.ts'
import type { Exchange } from '../exchange.ts'

const KEYS_MAX = 1000

export interface ListRequest {
  readonly prefix: string
  readonly delimiter: string
  /** 0 to 1,000. */
  readonly maxKeys: number
  /** Keys come encoded as in a URL, for characters that XML cannot have. */
  readonly isUrl: boolean
}

/** What all forms of listings have in common. Throws `InvalidArgument`. */
export function parseList(exchange: Exchange, limitName = 'max-keys'): ListRequest {
  const encoding = exchange.parameter('encoding-type') ?? ''
  if (encoding !== '' && encoding.toLowerCase() !== 'url') {
    throw invalid('Invalid Encoding Method specified in Request', 'encoding-type', encoding)
  }
  return {
    prefix: exchange.parameter('prefix') ?? '',
    delimiter: exchange.parameter('delimiter') ?? '',
    maxKeys: limitOf(exchange, limitName),
    isUrl: encoding !== '',
  }
}

function limitOf(exchange: Exchange, name: string): number {
  const text = exchange.parameter(name) ?? ''
  if (text === '') return KEYS_MAX
  if (!/^\d{1,10}$/.test(text) || Number(text) > 2_147_483_647) {
    throw invalid(`Argument ${name} must be an integer between 0 and 2147483647`, name, text)
  }
  return Math.min(Number(text), KEYS_MAX)
}

/** Opaque, and of characters that no client encodes wrongly: those of Open-Meteo did until 2026-07. */
export function tokenOf(after: string): string {
  return Buffer.from(after).toString('base64url')
}

export function parseToken(token: string): string {
  const bytes = Buffer.from(token, 'base64url')
  const after = bytes.toString()
  if (after !== '' && tokenOf(after) === token) return after
  throw invalid('The continuation token provided is incorrect', 'continuation-token', token)
}

function invalid(message: string, name: string, value: string): S3Error {
  return new S3Error('InvalidArgument', message, { ArgumentName: name, ArgumentValue: value })
}
