import type { Commit, Txn } from '../../core/store.ts'
import { leaseNumber } from './etcd-lease.ts'
import type { RequestOp, TxnAnswer, TxnRequest } from './messages.ts'

/** What one level of a transaction may hold unless etcd is told otherwise: its --max-txn-ops. */
const OPS_MAX = 128
/** Follows the prefix in a key of our own that no key of the contract can be: a space is below all their characters. */
export const TICK = ' tick'

/**
 * A transaction of the contract as one of etcd's: expectations compare the revision that last wrote a key, and where one
 * differs, the other branch reads what is there. Every put of it gets the same, one revision.
 */
export function toEtcd({ expect = [], changes }: Txn, root: string): TxnRequest {
  const writes = changes.map((change): RequestOp => {
    const key = root + change.key
    if (change.op === 'delete') return { op: 'delete', key }
    const { value, leaseId } = change
    return { op: 'put', key, value, lease: leaseId === undefined ? undefined : leaseNumber(leaseId) }
  })
  // What writes nothing makes no revision in etcd.
  if (!writes.some(({ op }) => op === 'put')) writes.push({ op: 'put', key: root + TICK, value: '' })
  return {
    compare: expect.map(({ key, revision }) => ({ key: root + key, modRevision: revision })),
    success: inLevels(writes, expect.length),
    failure: expect.map(({ key }) => ({ op: 'range', key: root + key, keysOnly: true })),
  }
}

export function fromEtcd({ succeeded, revision, ranges }: TxnAnswer, { expect = [] }: Txn): Commit {
  if (succeeded) return { committed: true, revision }
  const differing = expect.findIndex((expectation, index) => expectation.revision !== ranges[index])
  const { key = '' } = expect[differing] ?? {}
  return { committed: false, key, actual: ranges[differing] ?? 0 }
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
      op: 'txn',
      success: writes.slice(part * size, (part + 1) * size),
    }))
  }
  return writes
}
