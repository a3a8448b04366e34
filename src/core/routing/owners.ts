import type { Backend, RoutingTable } from './model.ts'
import { ranked } from './place.ts'

/** A node that may answer, in the order in which it is asked. */
export interface Owner {
  readonly node: string
  /** Named by the placement; the others stand in for those that are away. */
  readonly placed: boolean
  /** Drained for the key, or not serving it: better than an error, and said so in `X-Served-By`. */
  readonly lastResort: boolean
}

export interface Owners {
  /** Best first. Nodes that are down are not in it. */
  readonly owners: readonly Owner[]
  /** The first so many share the requests; each client stays with one of them. */
  readonly sharers: number
  /**
   * Whether the table says who comes first. Else the proxy chooses by a hash of its own, of the key or, without one, of the
   * client's address: among those that are no last resort, if there are any.
   */
  readonly isPlaced: boolean
}

/** Who answers requests for `key`; undefined for those that are of no item. What a proxy does is held against this. */
export function ownersOf(table: RoutingTable, key: string | undefined): Owners {
  const owners = key === undefined ? undefined : table.placement.get(key)
  const first = owners ?? []
  const rest = ranked(key ?? '', table.backends).filter((node) => !first.includes(node))
  const all = [...first, ...rest].flatMap((node): readonly Owner[] => {
    const backend = table.backends.find((one) => one.node === node)
    if (backend === undefined || backend.state === 'down') return []
    return [{ node, placed: first.includes(node), lastResort: !isGoodFor(backend, key) }]
  })
  const good = all.filter(({ lastResort }) => !lastResort)
  const last = all.filter(({ lastResort }) => lastResort)
  const sharers = Math.min((key === undefined ? undefined : table.hot?.get(key)) ?? 1, Math.max(1, good.length))
  return { owners: [...good, ...last], sharers, isPlaced: owners !== undefined }
}

/** Whether the node gets requests for the key without being a last resort. */
export function isGoodFor({ state, without }: Backend, key: string | undefined): boolean {
  return state === 'up' && (key === undefined || !without.has(key))
}
