/** One fault in the code of several roots, that the simulation has to find. */
export interface Mutant {
  readonly name: string
  readonly file: string
  /** Stands there once. */
  readonly from: string
  readonly to: string
  /** The test that finds it, where what it does cannot be seen from as far away as the simulation looks. */
  readonly by?: string
}

const RECORD = 'src/outbox/pushed-turns.ts'
const ELECTION = 'src/agent/root-election.ts'
const ROOTS = 'src/outbox/distribution-roots.ts'
const APP = 'src/app/files-roots.ts'

export const ROOTS_MUTANTS: readonly Mutant[] = [
  {
    name: 'a write is acknowledged though the term in which it began is over',
    file: RECORD,
    from: 'if (term !== this.#term()) throw notLeading()',
    to: '',
    by: 'src/outbox/pushed-turns.test.ts',
  },
  {
    name: 'who does not lead writes',
    file: RECORD,
    from: 'if (term === undefined) throw notLeading()',
    to: 'if (term === undefined) return undefined',
  },
  {
    name: 'conditions are looked at before the others have handed over what they have',
    file: RECORD,
    from: 'if (this.#options.isSettled?.() ?? true) return',
    to: 'return',
  },
  {
    name: 'a lease is trusted for longer than it lasts',
    file: ELECTION,
    from: 'const MARGIN = 0.1',
    to: 'const MARGIN = -1',
  },
  {
    name: 'a lease is trusted until it is heard that it is over',
    file: ELECTION,
    from: 'this.#options.clock.monotonicMs() < held.untilMs ?',
    to: 'held.untilMs > 0 ?',
    by: 'src/agent/root-election.test.ts',
  },
  {
    name: 'a new leader goes on with the epoch that it had',
    file: APP,
    from: 'ledger.lead(epoch)',
    to: '',
  },
  {
    name: 'a new leader believes that it is fed by the one before it',
    file: APP,
    from: 'ledger.keepParent(undefined)\n      ledger.lead',
    to: 'ledger.lead',
  },
  {
    name: 'who does not lead gives versions to what lies in its folder',
    file: APP,
    from: 'return term !== undefined && (ledger.newest?.epoch ?? 0) <= term',
    to: 'return true',
  },
  {
    name: 'what lies in the folder of a leader is not adopted',
    file: APP,
    from: 'return term !== undefined && (ledger.newest?.epoch ?? 0) <= term',
    to: 'return false',
  },
  {
    name: 'what one root has, and the leader lacks, is kept to itself',
    file: ROOTS,
    from: 'return epoch === leader.epoch ? PATIENCE_MS : 0',
    to: 'return PATIENCE_MS * 1_000_000',
  },
  {
    name: 'roots send the leader’s contents to those whom it feeds itself',
    file: ROOTS,
    from: 'return leader !== undefined && (child.id === leader || child.heard?.includes(leader) === true)',
    to: 'return false',
  },
  {
    name: 'the leader waits with what others gave versions to, as if somebody else sent it',
    file: ROOTS,
    from: 'if (term !== undefined) return epoch === term ? undefined : 0',
    to: 'if (term !== undefined) return epoch === term ? PATIENCE_MS : 0',
  },
  {
    name: 'half is taken for more than half',
    file: 'src/core/push/ack.ts',
    from: 'return reached + 1 > (of + 1) / 2',
    to: 'return reached + 1 >= (of + 1) / 2',
  },
  {
    name: 'a later operation of a key does not take the place of one that waits',
    file: 'src/outbox/sender-track.ts',
    from: 'this.#waiting.set(row.key, item)',
    to: 'if (earlier === undefined) this.#waiting.set(row.key, item)',
    by: 'src/outbox/sender.test.ts',
  },
  {
    name: 'a child is taken to have what is still under way',
    file: 'src/outbox/sender.ts',
    from: 'return this.#session?.hasPassed(position) ?? position <= this.#cursor',
    to: 'return position <= this.#options.ledger.position',
  },
  {
    name: 'another node with an empty disk is taken for the one that was there',
    file: 'src/outbox/sender.ts',
    from: 'const isNew = id !== this.#id',
    to: 'const isNew = this.#id === undefined',
    by: 'src/outbox/sender.test.ts',
  },
]
