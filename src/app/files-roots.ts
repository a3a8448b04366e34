import { messageOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { Election } from '../core/push/election.ts'
import type { OpenLedger } from '../core/push/ledger.ts'
import type { Service } from '../core/service.ts'
import { aborted } from '../lib/waiting.ts'
import type { ChildAt, TreeDistribution } from '../outbox/distribution.ts'
import type { FilesCluster, JoinedChild } from './files-cluster.ts'

interface ElectedRoot {
  readonly tree: string
  readonly ledger: OpenLedger
  /** Another leads than before: those below have to be told. */
  readonly onChange: () => void
  /** Resolves with how others reach this node, once it listens. */
  readonly listening: Promise<string>
  readonly cluster: Pick<FilesCluster, 'election'>
}

/** This node as one of several roots: it competes once others can be sent to it. */
export function electedRoot({ tree, ledger, onChange, listening, cluster }: ElectedRoot): {
  readonly election: Election
  readonly service: Service
} {
  let url = ''
  const election = cluster.election({
    tree,
    url: () => url,
    floor: () => ledger.next().epoch,
    onLead: (epoch) => {
      ledger.keepParent(undefined)
      ledger.lead(epoch)
      onChange()
    },
    onLost: onChange,
  })
  const run = async (signal: AbortSignal): Promise<void> => {
    await Promise.race([listening.then((known) => (url = known)), aborted(signal)])
    if (!signal.aborted) await election.run(signal)
  }
  return { election, service: { name: election.name, run } }
}

/** Whether what comes into the folder is given versions: nobody feeds this node, and of several roots it leads. */
export function isRootNow(ledger: OpenLedger, election: Election | undefined): boolean {
  if (election === undefined) return ledger.parent() === undefined
  const { term } = election
  return term !== undefined && (ledger.newest?.epoch ?? 0) <= term
}

/** Who was fed before and is started as a root takes writes from here on. */
export function forgetParent(tree: string, ledger: OpenLedger | undefined, log: Logger): void {
  const parent = ledger?.parent()
  if (parent === undefined) return
  log.info('this node is a root from now on', { tree, fedBefore: parent.name })
  ledger?.keepParent(undefined)
}

/** The nodes of the cluster as children, as they come and go. What no child can be reached at, is none. */
export function joinedChildren(
  tree: string,
  distribution: TreeDistribution,
  cluster: FilesCluster,
  open: (child: JoinedChild) => ChildAt,
  log: Logger,
): Service {
  const feed = async (child: JoinedChild, until: AbortSignal): Promise<void> => {
    try {
      await distribution.feed(open(child), until)
    } catch (error) {
      log.warn('a node of the cluster cannot be a child', { tree, child: child.url, error: messageOf(error) })
    }
  }
  return { name: `children of ${tree}`, run: async (signal) => cluster.feedAll(tree, feed, signal) }
}
