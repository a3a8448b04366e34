import { z } from 'zod'
import type { EntryAnswer, LeaseAnswer, LeaseRequest } from '../../core/api.ts'
import type { Commit, Entry, Listing, Txn } from '../../core/store.ts'
import { hold } from './hold.ts'
import { named, zCount } from './common.ts'

const zLeaseId = z.string().min(1).max(256)

export const zTxn = hold<Txn>()(
  z.strictObject({
    expect: z.array(z.strictObject({ key: z.string(), revision: zCount })).exactOptional(),
    changes: z.array(
      z.discriminatedUnion('op', [
        z.strictObject({ op: z.literal('put'), key: z.string(), value: z.string(), leaseId: zLeaseId.exactOptional() }),
        z.strictObject({ op: z.literal('delete'), key: z.string() }),
      ]),
    ),
  }),
)

export const zCommit = hold<Commit>()(
  z.discriminatedUnion('committed', [
    z.object({ committed: z.literal(true), revision: zCount }),
    z.object({ committed: z.literal(false), key: z.string(), actual: zCount }),
  ]),
)

const zEntry = hold<Entry>()(
  z.object({ key: z.string(), value: z.string(), revision: zCount, leaseId: zLeaseId.exactOptional() }),
)
named.add(zEntry, { id: 'Entry' })

export const zEntryAnswer = hold<EntryAnswer>()(z.object({ entry: zEntry.optional() }))
export const zListing = hold<Listing>()(z.object({ entries: z.array(zEntry), revision: zCount }))
export const zLeaseRequest = hold<LeaseRequest>()(z.strictObject({ ttlMs: z.number() }))
export const zLeaseAnswer = hold<LeaseAnswer>()(z.object({ id: zLeaseId }))
