import type { Election } from '../core/push/election.ts'
import type { LedgerRow, OpenLedger } from '../core/push/ledger.ts'
import type { HelloAnswer } from '../core/push/wire.ts'

/** After so long a child should have what the leader itself sends it. */
const PATIENCE_MS = 60_000

interface Roots {
  readonly election: Election
  readonly ledger: Pick<OpenLedger, 'parent'>
}

/** Whether the child is the root that leads, or is fed by it as well. */
export function isFedByLeader({ election, ledger }: Roots, child: HelloAnswer | undefined): boolean {
  if (election.term !== undefined || child === undefined) return false
  const leader = ledger.parent()?.id
  return leader !== undefined && (child.id === leader || child.heard?.includes(leader) === true)
}

/**
 * How one of several roots gives on what it has, as of `SenderOptions`. The leader sends what it has given a version to. What came to it, or to
 * another root, from elsewhere may be there already, and is offered. Of the leader's own a root that does not lead only sees to it that
 * nothing was left out, but for children that only this root has.
 */
export function offeredAfter(roots: Roots, row: LedgerRow, child: HelloAnswer): number | undefined {
  const { term, leader } = roots.election
  const { epoch } = row.version
  if (term !== undefined) return epoch === term ? undefined : 0
  if (leader === undefined) return 0
  if (!isFedByLeader(roots, child)) return undefined
  return epoch === leader.epoch ? PATIENCE_MS : 0
}
