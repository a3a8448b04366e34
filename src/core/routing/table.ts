import type { Cluster, Member } from './cluster.ts'
import type { Backend, KeyRule, Placement, PlacementOptions, RoutingTable } from './model.ts'
import { place } from './place.ts'

/** What the operator of a proxy says of it. */
export interface RoutingSettings extends PlacementOptions {
  readonly rules: readonly KeyRule[]
  /** 100 for nodes that are not named. */
  readonly weights: Readonly<Record<string, number>>
  readonly everyNode: string | undefined
}

/** What the proxy's own machine knows of the nodes. */
export interface Surroundings {
  /** Nodes that do not answer the checks. */
  readonly down: ReadonlySet<string>
  /** By node, for those that are just back: the items that they list, of what they are said to serve. */
  readonly listed?: ReadonlyMap<string, ReadonlySet<string>>
  /** The address of a host, in numbers; undefined while its name is not known here. */
  readonly addressOf: (host: string) => string | undefined
}

const WEIGHT = 100

/** Makes tables for one proxy. Keeps the placement for as long as it is of the same keys and nodes. */
export class TableMaker {
  readonly #settings: RoutingSettings
  #placed: { readonly of: string; readonly items: readonly string[]; readonly placement: Placement } | undefined

  constructor(settings: RoutingSettings) {
    this.#settings = settings
  }

  make(cluster: Cluster, { down, listed, addressOf }: Surroundings): RoutingTable {
    const { rules, hot, everyNode, weights } = this.#settings
    const members = cluster.members.flatMap((member) => {
      const host = addressOf(member.host)
      const unserved = unservedNow(member, cluster.items, listed?.get(member.node))
      return host === undefined ? [] : [{ ...member, host, unserved, weight: weights[member.node] ?? WEIGHT }]
    })
    // Where nobody answers, the checks may be what is wrong: trying is better than refusing everything.
    const isBlind = members.every(({ node }) => down.has(node))
    const states = new Map(
      members.map((member) => [member.node, !isBlind && down.has(member.node) ? 'down' : stateOf(member)] as const),
    )
    const yielding = yieldingOf(members, states)
    const backends = members.map((member): Backend => {
      const { node, id, host, port, weight } = member
      const without = new Set([...drainedItems(member), ...(yielding.get(node) ?? [])].toSorted())
      return { node, id, host, port, weight, state: states.get(node) ?? 'up', without }
    })
    const { asOf, revision, items, blocked } = cluster
    const placement = this.#place(items, backends)
    return { asOf, revision, rules, backends, placement, everyNode, hot, ...(blocked && { blocked }) }
  }

  #place(items: readonly string[], backends: readonly Backend[]): Placement {
    const of = backends.map(({ node, weight }) => `${node} ${weight}`).join()
    if (this.#placed?.of === of && isSame(this.#placed.items, items)) return this.#placed.placement
    const placement = place([...items, ...this.#settings.hot.keys()], backends, this.#settings)
    this.#placed = { of, items, placement }
    return placement
  }
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((item, index) => item === b[index]))
}

/** A node whose agent is lost may serve what no other does any more: its application is asked when nothing better is left. */
function stateOf({ lost, drains }: Member): 'up' | 'drained' {
  return lost || drains.some(({ items }) => items === undefined) ? 'drained' : 'up'
}

function unservedNow(
  { unserved }: Member,
  items: readonly string[],
  listed: ReadonlySet<string> | undefined,
): Member['unserved'] {
  if (listed === undefined) return unserved
  const loading = items.filter((item) => !listed.has(item)).map((item) => [item, 'loading'] as const)
  return { ...Object.fromEntries(loading), ...unserved }
}

function drainedItems({ drains }: Member): ReadonlySet<string> {
  return new Set(drains.flatMap(({ items }) => items ?? []))
}

/**
 * By node: items that it does not serve while another one does that may answer. Drains come first: a node that is
 * drained for an item takes no part, so that what nodes say of themselves never leads a client past a drain.
 */
function yieldingOf(
  members: readonly Member[],
  states: ReadonlyMap<string, Backend['state']>,
): ReadonlyMap<string, readonly string[]> {
  const up = members.filter(({ node }) => states.get(node) === 'up')
  const drained = new Map(up.map((member) => [member.node, drainedItems(member)]))
  const yielding = new Map<string, string[]>(up.map(({ node }) => [node, []]))
  const lacking = new Set(up.flatMap(({ unserved }) => Object.keys(unserved)))
  for (const item of lacking) {
    const open = up.filter(({ node }) => drained.get(node)?.has(item) !== true)
    const without = open.filter(({ unserved }) => Object.hasOwn(unserved, item))
    if (without.length === open.length) continue
    for (const { node } of without) yielding.get(node)?.push(item)
  }
  return yielding
}
