import type { Clock } from '../core/clock.ts'
import type { Election } from '../core/push/election.ts'
import type { Ledger, LedgerRow, OpenLedger } from '../core/push/ledger.ts'
import type { HelloAnswer } from '../core/push/wire.ts'
import type { Sender } from './sender.ts'

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

/** More rows than these are not looked through at each hello. */
const LOOKED = 1000

/** As of `Hello`: what is still to be given to a child is all of the leader itself. */
export function handedOver(
  { election, ledger }: Roots & { readonly ledger: Ledger },
  sender: Sender,
): number | undefined {
  const { term, leader } = election
  if (term !== undefined || leader === undefined || !sender.isConnected || sender.stuck.size > 0) return undefined
  const rows = ledger.after(sender.cursor, LOOKED)
  const isAll = rows.length < LOOKED && rows.every(({ version }) => version.epoch >= leader.epoch)
  return isAll ? leader.epoch : undefined
}

/** So long a new leader waits for those that are not there. */
const AWAITED_MS = 30_000

/** Since when a root leads without a break, and whether it knows by now what those before it have acknowledged. */
export class Leading {
  readonly #election: Election
  readonly #clock: Clock
  #term: number | undefined
  #sinceMs = 0

  constructor(election: Election, clock: Clock) {
    this.#election = election
    this.#clock = clock
  }

  /** To be called when it may lead from now on. */
  look(): void {
    const { term } = this.#election
    if (term !== this.#term) this.#sinceMs = this.#clock.nowMs()
    this.#term = term
  }

  /** As far as it can know: every root that is there has handed over what it has, and for those that are not it has waited. */
  isSettled(senders: readonly Sender[], handed: ReadonlyMap<string, number>): boolean {
    this.look()
    const term = this.#term
    if (term === undefined) return false
    const hasHanded = (id: string): boolean => (handed.get(id) ?? 0) >= term
    if (this.#clock.nowMs() - this.#sinceMs >= AWAITED_MS) return [...handed.keys()].every(hasHanded)
    return senders.every(({ answer, isConnected, heardMs = 0 }) => {
      const isThere = isConnected && heardMs >= this.#sinceMs
      return isThere && answer !== undefined && (answer.isRoot !== true || hasHanded(answer.id))
    })
  }
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
