import { createHash, createHmac, randomUUID, timingSafeEqual } from 'node:crypto'
import { deflateSync, inflateSync } from 'node:zlib'
import { z } from 'zod'
import { FlotillaError } from '../../core/errors.ts'
import type { Secret } from '../../lib/secret.ts'

/*
 * What ERDDAPUtil's daemons and command lines send each other: JSON, signed as Python's itsdangerous does it
 * (`URLSafeSerializer(secret_key, 'command_message_serializer')`): payload and HMAC-SHA1, both base64url without padding,
 * with a dot between. A payload that begins with a dot is deflated.
 */

const SALT = 'command_message_serializer'
/** Of a whole message, and of what is inflated from it. */
export const WIRE_LIMITS = { tokenChars: 256 * 1024, jsonBytes: 1024 * 1024 } as const
const BASE64URL = /^[\w-]+$/

const zMessage = z.object({
  name: z.string().max(100),
  args: z.array(z.unknown()).max(100).default([]),
  kwargs: z.record(z.string().max(100), z.unknown()).default({}),
  ignore: z.array(z.string().max(255)).max(1000).nullish(),
  guid: z.string().max(100).nullish(),
})

export interface Message {
  readonly name: string
  readonly kwargs: Readonly<Record<string, unknown>>
  /** Host names that must not act on it. */
  readonly ignore: readonly string[]
  readonly guid: string
}

export interface Reply {
  readonly message: string
  readonly state: 'success' | 'error'
  readonly guid: string | null
}

const zReply = z.object({
  message: z.unknown(),
  state: z.string().max(100),
  guid: z.string().max(100).nullish(),
})

export function signMessage({ name, kwargs, ignore, guid }: Message, secret: Secret): string {
  return sign({ name, args: [], kwargs, ignore, guid }, secret)
}

/** Throws `BAD_REQUEST` for what is malformed, `UNAUTHENTICATED` for what another secret signed. */
export function readMessage(token: string, secret: Secret): Message {
  const { name, kwargs, ignore, guid, args } = checked(zMessage, verify(token, secret))
  // Its own senders name every argument.
  if (args.length > 0) throw new FlotillaError('BAD_REQUEST', `${name} has arguments without a name`)
  return { name, kwargs, ignore: ignore ?? [], guid: guid ?? randomUUID() }
}

export function signReply(reply: Reply, secret: Secret): string {
  return sign({ message: reply.message, state: reply.state, guid: reply.guid }, secret)
}

export function readReply(token: string, secret: Secret): Reply {
  const { message, state, guid } = checked(zReply, verify(token, secret))
  const text = typeof message === 'string' ? message : JSON.stringify(message ?? null)
  return { message: text, state: state === 'success' ? 'success' : 'error', guid: guid ?? null }
}

function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new FlotillaError('BAD_REQUEST', 'a signed message is not of the form that ERDDAPUtil gives it')
}

function sign(value: object, secret: Secret): string {
  const json = Buffer.from(JSON.stringify(value))
  const deflated = deflateSync(json)
  const payload = deflated.length < json.length - 1 ? `.${deflated.toString('base64url')}` : json.toString('base64url')
  return `${payload}.${macOf(payload, secret).toString('base64url')}`
}

function verify(token: string, secret: Secret): unknown {
  const dot = token.length > WIRE_LIMITS.tokenChars ? -1 : token.lastIndexOf('.')
  const payload = token.slice(0, dot)
  const mac = Buffer.from(token.slice(dot + 1), 'base64url')
  const expected = macOf(payload, secret)
  if (dot <= 0 || mac.length !== expected.length || !timingSafeEqual(mac, expected)) {
    throw new FlotillaError('UNAUTHENTICATED', 'a message is not signed with the secret_key of this cluster')
  }
  return parse(payload)
}

function parse(payload: string): unknown {
  const isDeflated = payload.startsWith('.')
  const text = isDeflated ? payload.slice(1) : payload
  try {
    if (!BASE64URL.test(text)) throw new Error('not base64url')
    const bytes = Buffer.from(text, 'base64url')
    const json = isDeflated ? inflateSync(bytes, { maxOutputLength: WIRE_LIMITS.jsonBytes }) : bytes
    return JSON.parse(json.toString('utf8')) as unknown
  } catch (cause) {
    throw new FlotillaError('BAD_REQUEST', 'a signed message holds no JSON', { cause })
  }
}

/** itsdangerous' `django-concat`: SHA-1 is what the others have. */
function macOf(payload: string, secret: Secret): Buffer {
  const key = createHash('sha1').update(`${SALT}signer`).update(secret.reveal()).digest()
  return createHmac('sha1', key).update(payload).digest()
}
