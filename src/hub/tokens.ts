import { hash as hashOf, randomBytes, timingSafeEqual } from 'node:crypto'
import type { CreateTokenAnswer, CreateTokenRequest, TokenInfo, TokenUse } from '../core/api.ts'
import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import { allows, formatScope, parseScope, type Scope } from '../core/scope.ts'
import { type Store, STORE_LIMITS, type Write } from '../core/store.ts'
import { Secret } from '../lib/secret.ts'
import type { Caller } from './caller.ts'

/** Value of `token/<id>`. The token itself is kept nowhere. */
export interface TokenRecord extends Omit<TokenInfo, 'id' | 'use'> {
  /** The token that this one was traded for: it ends with it. */
  readonly madeFrom?: string | undefined
  /** Of a node's credential: the trees whose releases it may make. */
  readonly sources?: readonly string[] | undefined
  /** Hex SHA-256 of the token's secret part: it has 256 random bits, so a slow hash would add nothing. */
  readonly hash: string
}

const TOKENS_MAX = 10_000
const EXPIRED_AT_ONCE = 400
/** Of one commit. */
const MOST = STORE_LIMITS.changes - 1
const FORM = /^flt_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/

/** Whether `text` holds something that looks like a token, for refusing it in places that end up in logs. */
export function holdsToken(text: string): boolean {
  return /flt_[0-9a-f]{16}_/.test(text)
}

export interface MintedToken {
  readonly id: string
  readonly token: Secret
  readonly hash: string
}

/** `flt_<id>_<secret>`: the id finds the record, the secret proves. */
export function mintToken(): MintedToken {
  const id = randomBytes(8).toString('hex')
  const secret = randomBytes(32).toString('base64url')
  return { id, token: new Secret(`flt_${id}_${secret}`), hash: digest(secret).toString('hex') }
}

/** The parts of something that has the form of a token. */
export function parseToken(text: string): { readonly id: string; readonly hash: Buffer } | undefined {
  const [, id, secret] = FORM.exec(text) ?? []
  return id === undefined || secret === undefined ? undefined : { id, hash: digest(secret) }
}

/** In constant time. */
export function sameHash(a: Buffer, b: Buffer): boolean {
  return a.byteLength === b.byteLength && timingSafeEqual(a, b)
}

export function parseRecord(value: string): TokenRecord {
  return JSON.parse(value) as TokenRecord
}

export function putToken(id: string, record: TokenRecord): Write {
  return { op: 'put', key: keys.token(id), value: JSON.stringify(record) }
}

function infoOf(id: string, record: TokenRecord): TokenInfo {
  const { hash: _, madeFrom: _from, sources: _sources, ...info } = record
  return { id, ...info }
}

/**
 * Makes a token, and takes the chance to remove those that have expired. Nobody can hand out more than they have: throws
 * `FORBIDDEN` for a scope that `by` does not cover, and ends the token no later than `by` ends.
 */
export async function createToken(
  store: Store,
  clock: Clock,
  { label, scopes, ttlMs }: CreateTokenRequest,
  by: Pick<Caller, 'scopes' | 'expiresAtMs'>,
  madeFrom?: string,
): Promise<CreateTokenAnswer> {
  const parsed = scopes.map((text) => parseScope(text))
  checkCovers(by, parsed)
  const expiresAtMs = Math.min(ttlMs === undefined ? Infinity : clock.nowMs() + ttlMs, by.expiresAtMs ?? Infinity)
  return issueToken(store, clock, {
    label,
    scopes: parsed.map((scope) => formatScope(scope)),
    ...(Number.isFinite(expiresAtMs) && { expiresAtMs }),
    ...(madeFrom !== undefined && { madeFrom }),
  })
}

/** Throws `FORBIDDEN` where somebody may not do all of that. */
export function checkCovers(by: Pick<Caller, 'scopes'>, scopes: readonly Scope[]): void {
  const beyond = scopes.find(({ verb, prefix }) => !allows(by.scopes, verb, prefix))
  if (beyond === undefined) return
  throw new FlotillaError('FORBIDDEN', `your own token does not cover ${formatScope(beyond)}`)
}

/** Makes a token that somebody was found to have a right to. Throws `TOO_LARGE` where there are too many. */
export async function issueToken(
  store: Store,
  clock: Clock,
  granted: Omit<TokenRecord, 'hash' | 'createdAtMs'>,
): Promise<CreateTokenAnswer> {
  const { id, token, hash } = mintToken()
  const now = clock.nowMs()
  const { entries } = await store.list(keys.tokens)
  const over = entries.filter(({ value }) => (parseRecord(value).expiresAtMs ?? now) < now)
  if (entries.length - over.length >= TOKENS_MAX) {
    throw new FlotillaError('TOO_LARGE', `there are ${TOKENS_MAX} tokens already`, { hint: 'Revoke some of them.' })
  }
  const record = { ...granted, createdAtMs: now, hash }
  const expired = over.slice(0, EXPIRED_AT_ONCE).flatMap(({ key }) => withoutToken(key.slice(keys.tokens.length)))
  await store.commit({ changes: [putToken(id, record), ...expired] })
  return { ...infoOf(id, record), token: token.reveal() }
}

/** Ends a token, and with it what is known of its use. */
function withoutToken(id: string): readonly Write[] {
  return [
    { op: 'delete', key: keys.token(id) },
    { op: 'delete', key: keys.use(id) },
  ]
}

/** Ends the tokens that a node made for its profiles. */
export async function withoutTokensOf(store: Store, node: string): Promise<readonly Write[]> {
  const { entries } = await store.list(keys.tokens)
  const made = entries.filter(({ value }) => parseRecord(value).madeBy === node)
  return made.flatMap(({ key }) => withoutToken(key.slice(keys.tokens.length)))
}

/** Sorted by creation; `useOf` tells what is known of the use of a token. */
export async function listTokens(
  store: Store,
  useOf: (id: string) => TokenUse | undefined = () => undefined,
): Promise<readonly TokenInfo[]> {
  const { entries } = await store.list(keys.tokens)
  return entries
    .map(({ key, value }) => {
      const info = infoOf(key.slice(keys.tokens.length), parseRecord(value))
      const use = useOf(info.id)
      return use === undefined ? info : Object.assign(info, { use })
    })
    .toSorted((a, b) => a.createdAtMs - b.createdAtMs)
}

/** Another key for the nodes to share: goes with the end of any token that could read the one there was. */
export function newPeerKey(): Write {
  return { op: 'put', key: keys.peerKey, value: randomBytes(32).toString('base64url') }
}

/** Those that were traded for a token, and for these. */
async function madeFrom(store: Store, id: string): Promise<readonly string[]> {
  const { entries } = await store.list(keys.tokens)
  const found = new Set([id])
  // Older ones may come later in the order of ids, so as often as another is found.
  for (let size = 0; size < found.size;) {
    size = found.size
    for (const { key, value } of entries) {
      if (found.has(parseRecord(value).madeFrom ?? '')) found.add(key.slice(keys.tokens.length))
    }
  }
  found.delete(id)
  return [...found]
}

/** Ends those that were traded for it as well, and answers all. Throws `NOT_FOUND` when there is no such token. */
export async function revokeToken(store: Store, id: string): Promise<readonly string[]> {
  const key = keys.token(id)
  const entry = await store.get(key)
  if (entry === undefined)
    throw new FlotillaError('NOT_FOUND', `there is no token ${id}`, { hint: '`flotilla token list` lists them.' })
  const scopes = parseRecord(entry.value).scopes.map((text) => parseScope(text))
  const knewKey = allows(scopes, 'read', keys.peerKey)
  const all = [id, ...(await madeFrom(store, id))]
  const writes = all.flatMap((each) => withoutToken(each))
  await store.commit({ changes: [...writes.slice(0, MOST), ...(knewKey ? [newPeerKey()] : [])] })
  for (let at = MOST; at < writes.length; at += MOST) await store.commit({ changes: writes.slice(at, at + MOST) })
  return all
}

function digest(secret: string): Buffer {
  return hashOf('sha256', secret, 'buffer')
}
