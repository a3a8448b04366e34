import type { Cluster, Member } from './cluster.ts'
import { isForEveryNode, keyOf } from './key.ts'
import type { Backend, KeyRule, RoutingTable } from './model.ts'
import { type Owner, ownersOf } from './owners.ts'

/** Why a request goes where it goes. */
export interface Explanation {
  readonly url: string
  /** Absent for pages of no item, and for what no rule knows. */
  readonly key?: string
  readonly rule?: KeyRule
  /** What `X-Data-Revision` says. */
  readonly revision: number
  /** Set for a request that goes to the agent instead, which tells every node. */
  readonly everyNode?: string
  /** False where the proxy chooses by its own hash, among the nodes that answer as well as the first. */
  readonly isPlaced: boolean
  /** How many nodes share the requests; more than 1 for hot keys. */
  readonly sharers: number
  /** In the order in which they are asked; those that are down last. */
  readonly nodes: readonly ExplainedNode[]
}

export interface ExplainedNode extends Omit<Owner, 'lastResort'> {
  readonly address: string
  readonly is: 'good' | 'last-resort' | 'down'
  /** In words. */
  readonly why: string
}

/** What becomes of a request for `url` by this table; `cluster` is what the table was made of, and tells the reasons. */
export function explain(url: string, table: RoutingTable, cluster: Cluster): Explanation {
  const found = keyOf(url, table.rules)
  const { owners, isPlaced, sharers } = ownersOf(table, found?.key)
  const asked = new Set(owners.map(({ node }) => node))
  const placed = new Set(found === undefined ? [] : table.placement.get(found.key))
  const down = table.backends.filter(({ node }) => !asked.has(node))
  const all = [...owners, ...down.map(({ node }) => ({ node, placed: placed.has(node), lastResort: false }))]
  const everyNode = isForEveryNode(url, table.rules) ? table.everyNode : undefined
  return {
    url,
    ...found,
    revision: table.revision,
    ...(everyNode !== undefined && { everyNode }),
    isPlaced,
    sharers,
    nodes: all.flatMap((owner) => {
      const backend = table.backends.find(({ node }) => node === owner.node)
      const member = cluster.members.find(({ node }) => node === owner.node)
      return backend === undefined ? [] : [explained(owner, backend, member, found?.key)]
    }),
  }
}

function explained(
  { node, placed, lastResort }: Owner,
  backend: Backend,
  member: Member | undefined,
  key: string | undefined,
): ExplainedNode {
  const { host, port, state } = backend
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  if (state === 'down') return { node, placed, address, is: 'down', why: 'does not answer the checks of this proxy' }
  const why = reasonOf(member, key)
  return { node, placed, address, is: lastResort ? 'last-resort' : 'good', why: why ?? 'up' }
}

/** Why a node is not as good as another one; undefined where nothing speaks against it. */
function reasonOf(member: Member | undefined, key: string | undefined): string | undefined {
  if (member === undefined) return undefined
  if (member.lost) return 'its agent gives no sign of life'
  const drain = member.drains.find(({ items }) => items === undefined || (key !== undefined && items.includes(key)))
  if (drain !== undefined) {
    const what = drain.items === undefined ? 'drained' : 'drained for this'
    return `${what} by ${drain.by}${drain.reason === '' ? '' : `: ${drain.reason}`}`
  }
  const unserved = key === undefined || !Object.hasOwn(member.unserved, key) ? undefined : member.unserved[key]
  return unserved === undefined ? undefined : UNSERVED[unserved]
}

const UNSERVED = {
  failed: 'could not load it',
  loading: 'is loading it',
  absent: 'does not have it, although the release that clients see does',
} as const
