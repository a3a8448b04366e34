import { randomBytes } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import { keys } from '../core/keys.ts'
import type { Store } from '../core/store.ts'
import { Secret } from '../lib/secret.ts'
import { mintToken, parseRecord, parseToken, putToken, sameHash } from './tokens.ts'

/** Where the id of the token is kept that `ensureAdminToken` made; of each hub apart, where several share a store. */
const adminKey = (hub: string | undefined): string =>
  keys.secret(hub === undefined ? 'admin-token' : `admin-token/${hub}`)
const ADMIN_SCOPES = ['read:', 'write:'] as const

export interface AdminToken {
  readonly token: Secret
  /** False when it is the one that was passed in. */
  readonly created: boolean
}

/**
 * A token that may do everything, for whoever can open the store itself, and so can do everything anyway. `current`, the one
 * that was kept from before, is answered while it is good; else a new one takes the place of the one made before, by this `hub`
 * where several share the store.
 */
export async function ensureAdminToken(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  current?: Secret,
  hub?: string,
): Promise<AdminToken> {
  if (current !== undefined && (await isGood(store, current))) return { token: current, created: false }
  const key = adminKey(hub)
  const before = await store.get(key)
  const { id, token, hash } = mintToken()
  const record = { label: 'admin', scopes: ADMIN_SCOPES, createdAtMs: clock.nowMs(), hash }
  const answer = await store.commit({
    expect: [{ key, revision: before?.revision ?? 0 }],
    changes: [
      putToken(id, record),
      { op: 'put', key, value: id },
      ...(before === undefined ? [] : [{ op: 'delete' as const, key: keys.token(before.value) }]),
    ],
  })
  return answer.committed ? { token, created: true } : ensureAdminToken({ store, clock }, current, hub)
}

/** The key with which nodes sign what they ask of each other. Nodes read it as `peer/key`. */
export async function ensurePeerKey(store: Store): Promise<Secret> {
  return ensureSecret(store, keys.peerKey)
}

/** 256 random bits under `key`, made by whoever asks first. */
export async function ensureSecret(store: Store, key: string): Promise<Secret> {
  const entry = await store.get(key)
  if (entry !== undefined) return new Secret(entry.value)
  const value = randomBytes(32).toString('base64url')
  const answer = await store.commit({ expect: [{ key, revision: 0 }], changes: [{ op: 'put', key, value }] })
  return answer.committed ? new Secret(value) : ensureSecret(store, key)
}

async function isGood(store: Store, token: Secret): Promise<boolean> {
  const parsed = parseToken(token.reveal())
  const entry = parsed && (await store.get(keys.token(parsed.id)))
  if (entry === undefined) return false
  const { hash, scopes, expiresAtMs } = parseRecord(entry.value)
  return (
    sameHash(Buffer.from(hash, 'hex'), parsed?.hash ?? Buffer.alloc(0)) &&
    expiresAtMs === undefined &&
    ADMIN_SCOPES.every((scope) => scopes.includes(scope))
  )
}
