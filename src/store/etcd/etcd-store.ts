import type { Clock } from '../../core/clock.ts'
import { FlotillaError, isError, messageOf } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import type { Op } from '../../core/op.ts'
import { checkKey, checkPrefix, checkPrefixes, checkRevision, checkTtl, checkTxn } from '../../core/store-limits.ts'
import type { Batch, Commit, Entry, Lease, Listing, Store, Txn, WatchOptions } from '../../core/store.ts'
import { STORE_LIMITS } from '../../core/store.ts'
import type { Secret } from '../../lib/secret.ts'
import { sleepQuietly } from '../../lib/waiting.ts'
import { parseEtcdAddress } from './address.ts'
import { API, type Rpc } from './api.ts'
import { EtcdClient, type EtcdClientOptions } from './etcd-client.ts'
import { AMBIGUOUS, isLeaseThere, storeError } from './etcd-errors.ts'
import { entryOf, rangeOf } from './etcd-keys.ts'
import { type EtcdLook, lookAt } from './etcd-look.ts'
import { isLeaseId, leaseNumber, newLeaseId, ttlSeconds } from './etcd-lease.ts'
import { fromEtcd, TICK, toEtcd } from './etcd-txn.ts'
import { Batches, watchRequest } from './etcd-watch.ts'
import { revisionOf } from './messages.ts'
import type { TlsOptions } from './tls.ts'

export interface EtcdStoreOptions {
  /** `etcd://host:port,host2:port/prefix` */
  readonly url: string
  readonly clock: Clock
  readonly log: Logger
  readonly tls?: TlsOptions | undefined
  readonly user?: { readonly name: string; readonly password: Secret } | undefined
  /** How many revisions of the whole etcd are held for watches; 0 leaves compaction to somebody else. 10,000 unless given. */
  readonly keepRevisions?: number | undefined
}

const COMPACT_MS = 60_000
/** What may be under way at once. */
const MAX = { commits: 10_000, bytes: 32 * 1024 * 1024 }
/** How many leases are granted before they are counted again. */
const COUNT_EVERY = 500

/**
 * The store in an etcd that others may use as well, below a prefix. Revisions are etcd's own, so some belong to others.
 * Answers once some member can be used; rejects with `CONFIG_INVALID`, `UNREACHABLE`, `UNAUTHENTICATED` or `FORBIDDEN`.
 */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<EtcdStore> {
  const store = new EtcdStore(options)
  try {
    await store.list('secret/')
  } catch (error) {
    await store.close()
    throw error
  }
  return store
}

export class EtcdStore implements Store {
  readonly #root: string
  readonly #members: EtcdClientOptions
  readonly #client: EtcdClient
  readonly #clock: Clock
  readonly #log: Logger
  readonly #keep: number
  readonly #closing = new AbortController()
  readonly #pending = new Set<Promise<unknown>>()
  readonly #waiting = { commits: 0, bytes: 0 }
  #leases: { count: number; granted: number } | undefined

  constructor({ url, clock, log, tls = {}, user, keepRevisions = 10_000 }: EtcdStoreOptions) {
    const { endpoints, root } = parseEtcdAddress(url)
    this.#root = root
    this.#members = { endpoints, tls, user, clock }
    this.#client = new EtcdClient(this.#members)
    this.#clock = clock
    this.#log = log
    this.#keep = keepRevisions
    if (keepRevisions > 0) void this.#keepCompact()
  }

  async get(key: string, op: Op = {}): Promise<Entry | undefined> {
    checkKey(key)
    const { kvs } = await this.#ask(API.range, { key: Buffer.from(this.#root + key) }, op)
    return kvs[0] && entryOf(this.#root, kvs[0])
  }

  async list(prefix: string, op: Op = {}): Promise<Listing> {
    checkPrefix(prefix)
    const { header, kvs } = await this.#ask(API.range, rangeOf(this.#root, prefix), op)
    return { entries: kvs.map((kv) => entryOf(this.#root, kv)), revision: revisionOf(header) }
  }

  async commit(txn: Txn, op: Op = {}): Promise<Commit> {
    const bytes = checkTxn(txn)
    this.#checkOpen(op)
    const leases = new Set(txn.changes.flatMap((change) => (change.op === 'put' && change.leaseId) || []))
    for (const id of leases) if (!isLeaseId(id)) throw ended(id)
    if (this.#waiting.commits >= MAX.commits || this.#waiting.bytes + bytes > MAX.bytes) {
      throw new FlotillaError('RATE_LIMITED', 'too many transactions at once', { hint: 'Try again in a moment.' })
    }
    this.#waiting.commits++
    this.#waiting.bytes += bytes
    try {
      const answer = fromEtcd(await this.#ask(API.txn, toEtcd(txn, this.#root), op, AMBIGUOUS), txn)
      // Etcd looks at the leases only when it puts something.
      if (!answer.committed) for (const id of leases) await this.#checkLease(id, op)
      return answer
    } finally {
      this.#waiting.commits--
      this.#waiting.bytes -= bytes
    }
  }

  async *watch(prefix: string, { after, also, signal }: WatchOptions): AsyncGenerator<Batch, void> {
    const prefixes = checkPrefixes(prefix, also)
    checkRevision(after)
    this.#checkOpen({})
    if (signal.aborted) return
    const over = AbortSignal.any([signal, this.#closing.signal])
    try {
      const revision = await this.#checkReached(after, over)
      const batches = new Batches(this.#root, prefixes, after)
      const request = watchRequest(this.#root, prefixes, { after, revision })
      for await (const answer of this.#client.stream(API.watch, request, over)) {
        for (const batch of batches.take(answer)) {
          yield batch
          if (over.aborted) return
        }
      }
    } catch (error) {
      if (over.aborted) return
      throw storeError(error, 'Watch on from the last revision seen; nothing is missed.')
    }
  }

  async grantLease(ttlMs: number, op: Op = {}): Promise<Lease> {
    checkTtl(ttlMs)
    await this.#checkRoom(op)
    const id = newLeaseId()
    try {
      await this.#ask(API.leaseGrant, { ID: leaseNumber(id), TTL: ttlSeconds(ttlMs) }, op)
    } catch (error) {
      // Nobody else draws the same number: an answer was lost, and this is the second time it was asked.
      if (!isLeaseThere((error as FlotillaError).cause)) throw error
    }
    return this.lease(id)
  }

  lease(id: string): Lease {
    return {
      id,
      renew: async (op = {}) => {
        this.#checkOpen(op)
        if (!isLeaseId(id)) throw ended(id)
        const { TTL } = await this.#ask(API.leaseKeepAlive, { ID: leaseNumber(id) }, op)
        if (Number(TTL) <= 0) throw ended(id)
      },
      revoke: async (op = {}) => {
        this.#checkOpen(op)
        if (!isLeaseId(id)) return
        await this.#ask(API.leaseRevoke, { ID: leaseNumber(id) }, op).catch((error: unknown) => {
          if (!isError(error, 'LEASE_ENDED')) throw error
        })
      },
    }
  }

  /** Lets go of all but the newest revisions now; from time to time it is done without asking. */
  async compact(): Promise<void> {
    const oldest = (await this.#revision({})) - this.#keep
    if (oldest <= 0) return
    await this.#ask(API.compact, { revision: oldest }, {}).catch((error: unknown) => {
      // Another hub was faster.
      if (!isError(error, 'COMPACTED')) throw error
    })
  }

  /** How each member fares, and the prefix at large. */
  async look(): Promise<EtcdLook> {
    return await lookAt(this.#members, await this.#revision({}))
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.allSettled(this.#pending)
    await this.#client.close()
  }

  /** One call with one answer. With `ifLost` it is never sent twice, and that is the hint when its fate is unknown. */
  async #ask<Q, A>(rpc: Rpc<Q, A>, request: Q, op: Op, ifLost?: string): Promise<A> {
    this.#checkOpen(op)
    const asked = this.#client.call(rpc, request, { signal: op.signal, isRepeatable: ifLost === undefined })
    this.#pending.add(asked)
    try {
      return await asked
    } catch (error) {
      throw op.signal?.aborted === true ? error : storeError(error, ifLost)
    } finally {
      this.#pending.delete(asked)
    }
  }

  #checkOpen({ signal }: Op): void {
    signal?.throwIfAborted()
    if (this.#closing.signal.aborted) throw new FlotillaError('NOT_READY', 'the store is closed')
  }

  /** Answers the revision etcd is at. It would itself wait for one that is ahead of it. */
  async #checkReached(after: number, signal: AbortSignal): Promise<number> {
    const revision = await this.#revision({ signal })
    if (after <= revision) return revision
    throw new FlotillaError('COMPACTED', `revision ${after} is ahead of etcd, which is at ${revision}`, {
      hint: 'List again and watch from the revision of the listing.',
    })
  }

  async #revision(op: Op): Promise<number> {
    return revisionOf((await this.#ask(API.range, { key: Buffer.from(this.#root + TICK) }, op)).header)
  }

  async #checkLease(id: string, op: Op): Promise<void> {
    const { TTL } = await this.#ask(API.leaseTimeToLive, { ID: leaseNumber(id) }, op)
    if (Number(TTL) <= 0) throw ended(id)
  }

  /** Counts what is granted here as if nothing ended, and anew before it refuses. Others are seen when it counts. */
  async #checkRoom(op: Op): Promise<void> {
    const held = this.#leases
    if (held === undefined || held.granted >= COUNT_EVERY || held.count >= STORE_LIMITS.leases) {
      const { leases } = await this.#ask(API.leases, {}, op)
      this.#leases = { count: leases.length, granted: 0 }
    }
    const now = this.#leases ?? { count: 0, granted: 0 }
    if (now.count >= STORE_LIMITS.leases) {
      throw new FlotillaError('TOO_LARGE', `etcd holds ${STORE_LIMITS.leases} leases already`)
    }
    now.count++
    now.granted++
  }

  async #keepCompact(): Promise<void> {
    while (await sleepQuietly(this.#clock, COMPACT_MS, this.#closing.signal)) {
      await this.compact().catch((error: unknown) => {
        if (!this.#closing.signal.aborted) this.#log.warn('etcd was not compacted', { error: messageOf(error) })
      })
    }
  }
}

function ended(id: string): FlotillaError {
  return new FlotillaError('LEASE_ENDED', `lease ${id} has ended; nothing was changed`)
}
