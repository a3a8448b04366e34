import { type Election, rootsLineage } from '../core/push/election.ts'
import type { OpenLedger } from '../core/push/ledger.ts'
import type { Hello } from '../core/push/wire.ts'
import { handedOver } from './distribution-roots.ts'
import type { Sender } from './sender.ts'

interface Said {
  readonly name: string
  readonly tree: string
  readonly ledger: OpenLedger
  readonly election?: Election | undefined
}

/** What a node says of itself to a child at the moment. */
export function helloOf({ name, tree, ledger, election }: Said, sender: Sender): Hello {
  const { id, newest, was } = ledger
  const parent = ledger.parent()
  const said = { from: id, name, above: [...(parent?.above ?? []), id], was }
  if (election === undefined) return { ...said, lineage: parent?.lineage ?? id, epoch: newest?.epoch }
  const term = election.term ?? 0
  return {
    ...said,
    lineage: rootsLineage(tree),
    epoch: Math.max(newest?.epoch ?? 0, term),
    term,
    handed: handedOver({ election, ledger }, sender),
  }
}
