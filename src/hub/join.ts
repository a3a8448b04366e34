import { randomBytes } from 'node:crypto'
import type { JoinAnswer, JoinCodeAnswer, JoinRequest } from '../core/api.ts'
import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Store, Txn } from '../core/store.ts'
import { sha256 } from '../lib/hash.ts'
import { Secret } from '../lib/secret.ts'
import { nodeScopes } from './node-scopes.ts'
import { mintToken, newPeerKey, putToken } from './tokens.ts'

/** Value of `node/<node>/joined`. */
export interface Joined {
  readonly node: string
  readonly tokenId: string
  readonly atMs: number
}

export interface NewJoinCode extends Omit<JoinCodeAnswer, 'code'> {
  readonly code: Secret
}

interface JoinDeps {
  readonly store: Store
  readonly clock: Clock
}

/** Crockford's base 32: no letter that is taken for a digit, or for another letter, when read aloud or typed off a screen. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const LENGTH = 12

interface JoinCodeOptions {
  readonly ttlMs: number
  readonly codesMax: number
  /** Trees whose releases the node may make. */
  readonly sources?: readonly string[] | undefined
}

/** Value of `join/<hash>`. */
interface OpenCode {
  readonly expiresAtMs: number
  readonly sources?: readonly string[]
}

/**
 * A new one-time code of 60 random bits, `7K2M-Q9XD-4TPA`. The store holds its hash only, under a lease, so that a code
 * nobody used vanishes by itself.
 */
export async function createJoinCode(
  { store, clock }: JoinDeps,
  { ttlMs, codesMax, sources = [] }: JoinCodeOptions,
): Promise<NewJoinCode> {
  const open = await store.list(keys.joins)
  if (open.entries.length >= codesMax) {
    throw new FlotillaError('RATE_LIMITED', `${open.entries.length} join codes wait to be used`, {
      hint: 'Each ends by itself some minutes after it was made.',
    })
  }
  const characters = Array.from(randomBytes(LENGTH), (byte) => ALPHABET[byte % ALPHABET.length]).join('')
  const expiresAtMs = clock.nowMs() + ttlMs
  const lease = await store.grantLease(ttlMs)
  const value = JSON.stringify({ expiresAtMs, ...(sources.length > 0 && { sources }) } satisfies OpenCode)
  await store.commit({ changes: [{ op: 'put', key: keyOf(characters), value, leaseId: lease.id }] })
  return { code: new Secret(characters.match(/.{4}/g)?.join('-') ?? characters), expiresAtMs }
}

/**
 * Uses a code up, and makes the credential of the node, in one commit. Throws `UNAUTHENTICATED` for a code that is wrong,
 * used or expired, and `NAME_TAKEN` for a node that joined before, whose name it may take with `replace`; the code
 * then can be used again.
 */
export async function joinNode(
  { store, clock }: JoinDeps,
  request: JoinRequest,
): Promise<JoinAnswer & { ended?: string }> {
  const { node, replace = false } = request
  const code = await store.get(keyOf(normalize(request.code)))
  const now = clock.nowMs()
  const open = code && (JSON.parse(code.value) as OpenCode)
  if (code === undefined || open === undefined || open.expiresAtMs <= now) throw wrongCode()
  const before = await store.get(keys.joined(node))
  if (before !== undefined && !replace) {
    throw new FlotillaError('NAME_TAKEN', `a node named ${node} has joined already`, {
      hint: 'Choose another name, or join with --replace to take the name over; the old credential then ends.',
    })
  }
  const { id, token, hash } = mintToken()
  const ended = before && (JSON.parse(before.value) as Joined).tokenId
  const joined: Joined = { node, tokenId: id, atMs: now }
  const txn: Txn = {
    expect: [
      { key: code.key, revision: code.revision },
      { key: keys.joined(node), revision: before?.revision ?? 0 },
    ],
    changes: [
      { op: 'delete', key: code.key },
      { op: 'put', key: keys.joined(node), value: JSON.stringify(joined) },
      putToken(id, {
        label: `node ${node}`,
        scopes: nodeScopes(node, open.sources),
        createdAtMs: now,
        node,
        hash,
        ...(open.sources !== undefined && { sources: open.sources }),
      }),
      ...(ended === undefined ? [] : [{ op: 'delete' as const, key: keys.token(ended) }, newPeerKey()]),
    ],
  }
  const answer = await store.commit(txn)
  if (answer.committed) return { node, token: token.reveal(), ...(ended !== undefined && { ended }) }
  if (answer.key === code.key) throw wrongCode()
  throw new FlotillaError('LOST_RACE', `another node named ${node} joined at the same moment`)
}

/** As people type it: any case, with or without dashes, the letters that look like digits. */
function normalize(text: string): string {
  return text.toUpperCase().replaceAll(/[\s-]/g, '').replaceAll('O', '0').replaceAll(/[IL]/g, '1')
}

function keyOf(characters: string): string {
  return keys.join(sha256(characters))
}

function wrongCode(): FlotillaError {
  return new FlotillaError('UNAUTHENTICATED', 'the join code is wrong, used up or expired', {
    hint: 'Make a new one where the hub is: flotilla token join-code',
  })
}
