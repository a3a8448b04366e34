import { FlotillaError } from '../core/errors.ts'
import { parseNodeKey } from '../core/keys.ts'
import { allows, type Scope } from '../core/scope.ts'
import type { Batch, Change, Entry, Listing, Txn } from '../core/store.ts'
import type { Caller } from './caller.ts'
import type { LeaseSeal } from './lease-seal.ts'

/**
 * Who may see and change what through the raw store routes. Beyond the caller's scopes, which stop at a path's boundary:
 * some families never leave the hub, and some only the hub writes, because it checks what goes into them.
 */
const HIDDEN = new Set(['token', 'join', 'secret', 'once', 'use'])
const GUARDED = new Set([
  ...HIDDEN,
  'release',
  'desired',
  'request',
  'peer',
  'lease',
  'rollout',
  'outcome',
  'policy',
  'drain',
  'service',
  'bridge',
  'list',
  'profile',
  'profile-log',
  'param',
  'elect',
  'lock',
  'barrier',
  'order',
])

/** Throws `FORBIDDEN` unless the caller may read the key. */
export function checkRead({ scopes }: Caller, key: string): void {
  if (!canRead(scopes, key)) throw new FlotillaError('FORBIDDEN', `your token may not read ${key}`)
}

/** Throws `FORBIDDEN` unless something under the prefix may be seen; listings and watches then hold that part. */
export function checkReadUnder({ scopes }: Caller, prefix: string): void {
  const some = scopes.some(
    (scope) => scope.verb === 'read' && (scope.prefix.startsWith(prefix) || allows([scope], 'read', prefix)),
  )
  const isHidden = HIDDEN.has(familyOf(prefix)) && prefix.includes('/')
  if (some && !isHidden) return
  const hint = isHidden || prefix === '' ? undefined : `It would need the scope read:${prefix}`
  throw new FlotillaError('FORBIDDEN', `your token may not read under ${prefix || 'all keys'}`, { hint })
}

/**
 * Throws `FORBIDDEN` unless the caller may write every key that is changed. An expectation tells the revision of its
 * key, so it needs a right to the key as well, be it to read or to write.
 */
export function checkCommit({ scopes }: Caller, { expect = [], changes }: Txn): void {
  for (const { key } of changes) {
    if (isGuarded(key)) {
      throw new FlotillaError('FORBIDDEN', `${key} is written by the hub only`, {
        hint: 'Use the route for it: releases, requests, rollouts, drains, lists, tokens and join codes each have one.',
      })
    }
    if (!allows(scopes, 'write', key)) throw new FlotillaError('FORBIDDEN', `your token may not write ${key}`)
  }
  for (const { key } of expect) {
    if (canRead(scopes, key) || (allows(scopes, 'write', key) && !isGuarded(key))) continue
    throw new FlotillaError('FORBIDDEN', `your token may not look at ${key}`)
  }
}

/** What one caller sees of entries: those it may read, and ids of leases only where it may write. */
export class View {
  readonly #caller: Caller
  readonly #seal: LeaseSeal

  constructor(caller: Caller, seal: LeaseSeal) {
    this.#caller = caller
    this.#seal = seal
  }

  entry(entry: Entry): Entry {
    if (entry.leaseId === undefined) return entry
    const { leaseId, ...rest } = entry
    if (!allows(this.#caller.scopes, 'write', entry.key)) return rest
    return { ...rest, leaseId: this.#seal.seal(leaseId, this.#caller.id) }
  }

  listing({ entries, revision }: Listing): Listing {
    const seen = entries.filter(({ key }) => canRead(this.#caller.scopes, key))
    return { entries: seen.map((entry) => this.entry(entry)), revision }
  }

  /** Undefined when the caller may see nothing of it. */
  batch({ revision, changes }: Batch): Batch | undefined {
    const seen = changes.flatMap((change): readonly Change[] => {
      if (change.op === 'delete') return canRead(this.#caller.scopes, change.key) ? [change] : []
      if (!canRead(this.#caller.scopes, change.entry.key)) return []
      return [{ op: 'put', entry: this.entry(change.entry) }]
    })
    return seen.length === 0 ? undefined : { revision, changes: seen }
  }
}

function canRead(scopes: readonly Scope[], key: string): boolean {
  return !HIDDEN.has(familyOf(key)) && allows(scopes, 'read', key)
}

/** A node's `joined` says which token is its credential, and its `machine` which UUID is its own: no node may write these. */
function isGuarded(key: string): boolean {
  const ofNode = parseNodeKey(key)?.family
  return GUARDED.has(familyOf(key)) || ofNode === 'joined' || ofNode === 'machine'
}

function familyOf(key: string): string {
  const slash = key.indexOf('/')
  return slash < 0 ? key : key.slice(0, slash)
}
