import type { Commit, Txn } from '../../core/store.ts'
import { leaseNumber } from './etcd-lease.ts'
import { type RequestOp, revisionOf, type TxnRequest, type TxnResponse } from './messages.ts'

/** What one level of a transaction may hold unless etcd is told otherwise: its --max-txn-ops. */
const OPS_MAX = 128
/** Follows the prefix in a key of our own that no key of the contract can be: a space is below all their characters. */
export const TICK = ' tick'

/**
 * A transaction of the contract as one of etcd's: expectations compare the revision that last wrote a key, and where one
 * differs, the other branch reads what is there. Every put of it gets the same, one revision.
 */
export function toEtcd({ expect = [], changes }: Txn, root: string): TxnRequest {
  const bytes = (key: string): Buffer => Buffer.from(root + key)
  const writes = changes.map((change): RequestOp => {
    const key = bytes(change.key)
    if (change.op === 'delete') return { requestDeleteRange: { key } }
    const value = Buffer.from(change.value)
    const { leaseId } = change
    return { requestPut: leaseId === undefined ? { key, value } : { key, value, lease: leaseNumber(leaseId) } }
  })
  // What writes nothing makes no revision in etcd.
  if (!changes.some(({ op }) => op === 'put')) writes.push({ requestPut: { key: bytes(TICK), value: Buffer.alloc(0) } })
  return {
    compare: expect.map(({ key, revision }) => ({
      result: 'EQUAL',
      target: 'MOD',
      key: bytes(key),
      modRevision: revision,
    })),
    success: inLevels(writes, expect.length),
    failure: expect.map(({ key }) => ({ requestRange: { key: bytes(key), keysOnly: true } })),
  }
}

export function fromEtcd({ succeeded, header, responses }: TxnResponse, { expect = [] }: Txn): Commit {
  if (succeeded) return { committed: true, revision: revisionOf(header) }
  const there = responses.map(({ responseRange }) => Number(responseRange?.kvs[0]?.modRevision ?? 0))
  const differing = expect.findIndex(({ revision }, index) => revision !== there[index])
  const { key = '' } = expect[differing] ?? {}
  return { committed: false, key, actual: there[differing] ?? 0 }
}

/**
 * More writes than a level may hold, as transactions within the transaction. A level may hold as many operations as the ones
 * above it have left. facts: etcd's checkTxnRequest.
 */
function inLevels(writes: readonly RequestOp[], compares: number): readonly RequestOp[] {
  if (writes.length <= OPS_MAX) return writes
  for (let parts = 2; parts < OPS_MAX; parts++) {
    const size = Math.ceil(writes.length / parts)
    if (size > OPS_MAX - Math.max(parts, compares)) continue
    return Array.from({ length: parts }, (_, part): RequestOp => ({
      requestTxn: { success: writes.slice(part * size, (part + 1) * size) },
    }))
  }
  return writes
}
