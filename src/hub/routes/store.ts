import { z } from 'zod'
import { checkKey, checkPrefix, checkTxn } from '../../core/store-limits.ts'
import type { Txn } from '../../core/store.ts'
import { contentsOf, formatBackup } from '../../lib/store/backup.ts'
import type { Caller } from '../caller.ts'
import type { HubContext } from '../context.ts'
import { notHeld } from '../lease-seal.ts'
import { checkCommit, checkRead, checkReadUnder, View } from '../raw-keys.ts'
import { type Route, route } from '../route.ts'
import { zCommit, zEntryAnswer, zListing, zTxn } from '../schemas/store.ts'

const zKeyQuery = z.strictObject({ key: z.string() })
const zPrefixQuery = z.strictObject({ prefix: z.string() })

/** The store as its contract (core/store.ts) has it, over HTTP: what store/remote speaks. */
export const storeRoutes: readonly Route[] = [
  route({
    method: 'GET',
    url: '/v1/store/entry',
    id: 'getEntry',
    summary: 'One entry of the store',
    access: {
      says: 'read on the key',
      check: (caller, { query }) => checkRead(caller, (query as { key: string }).key),
    },
    query: zKeyQuery,
    answer: zEntryAnswer,
    handler: async ({ store, leases }, { query, caller }) => {
      checkKey(query.key)
      const entry = await store.get(query.key)
      return entry === undefined ? {} : { entry: new View(caller, leases).entry(entry) }
    },
  }),
  route({
    method: 'GET',
    url: '/v1/store/entries',
    id: 'listEntries',
    summary: 'All entries under a prefix that the token may read, and the revision they were read at',
    access: {
      says: 'read on the prefix, or on something under it',
      check: (caller, { query }) => checkReadUnder(caller, (query as { prefix: string }).prefix),
    },
    query: zPrefixQuery,
    answer: zListing,
    handler: async ({ store, leases }, { query, caller }) => {
      checkPrefix(query.prefix)
      return new View(caller, leases).listing(await store.list(query.prefix))
    },
  }),
  route({
    method: 'GET',
    url: '/v1/store/backup',
    id: 'backup',
    summary: 'All that the store holds, secrets included, at one revision: what `flotilla store restore` takes',
    details: 'Lines of JSON, the last with the SHA-256 of those before it. What hangs on leases is left out.',
    // Whoever has both can do everything that its secrets are good for.
    access: ['read:', 'write:'],
    answerType: 'application/octet-stream',
    handler: async ({ store, clock }, { reply }) => {
      const bytes = formatBackup(contentsOf(await store.list('')), clock.nowMs())
      await reply.type('application/octet-stream').send(bytes)
      return undefined
    },
  }),
  route({
    method: 'POST',
    url: '/v1/store/commit',
    id: 'commit',
    summary: 'Changes keys, all or nothing, if every expectation holds',
    details: 'A lost race is an answer: `committed: false` names the first expectation that differed.',
    access: { says: 'write on every key', check: (caller, { body }) => checkCommit(caller, body as Txn) },
    limits: { bodyBytes: 'commitBytes' },
    body: zTxn,
    answer: zCommit,
    handler: async ({ store, leases, metrics, nodeQuota }, { body, caller }) => {
      checkTxn(body)
      if (caller.node !== undefined) await nodeQuota.reserve(caller.node, body)
      const answer = await store.commit(withOwnLeases(body, leases, caller))
      metrics.commit()
      return answer
    },
  }),
]

/** The transaction with the store's own ids of leases. Throws `LEASE_ENDED` for one that is not the caller's. */
function withOwnLeases(txn: Txn, leases: HubContext['leases'], caller: Caller): Txn {
  if (!txn.changes.some((change) => change.op === 'put' && change.leaseId !== undefined)) return txn
  const changes = txn.changes.map((change) => {
    if (change.op !== 'put' || change.leaseId === undefined) return change
    const leaseId = leases.open(change.leaseId, caller.id)
    if (leaseId === undefined) throw notHeld(change.leaseId)
    return { ...change, leaseId }
  })
  return { ...txn, changes }
}
