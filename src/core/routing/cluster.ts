import { keys, parseNodeKey } from '../keys.ts'
import { leftToProxies } from '../lists/networks.ts'
import type { Drain } from '../rollout.ts'
import type { Entry } from '../store.ts'
import { hash32 } from './hash.ts'
import { type Ids, type Report, Reports } from './reports.ts'
import { blockedOf, heldBack, revisionOf, type Said, worldOf } from './world.ts'

/** What the store says of a tree, as far as requests for it are concerned. Plain data: it is kept on disk too. */
export interface Cluster {
  /** The store's revision that it was taken at. */
  readonly asOf: number
  /** The release that clients see; 0 for none. */
  readonly revision: number
  /** Every item that some node speaks of, sorted. */
  readonly items: readonly string[]
  /** Sorted by node. */
  readonly members: readonly Member[]
  /** Networks for the proxy to refuse; absent where there are none. */
  readonly blocked?: readonly string[]
}

/** A node that serves the tree, or did when it was last heard of. */
export interface Member {
  readonly node: string
  /** Its own for as long as this proxy knows it. */
  readonly id: number
  /** A name or an address. */
  readonly host: string
  readonly port: number
  /** Its agent gives no sign of life. */
  readonly lost: boolean
  readonly drains: readonly MemberDrain[]
  /** Items that it says it does not serve, or does not speak of although the release has them. */
  readonly unserved: Readonly<Record<string, Unserved>>
}

export type Unserved = 'failed' | 'loading' | 'absent'

export interface MemberDrain extends Pick<Drain, 'by' | 'reason'> {
  readonly who: string
  /** Absent for the whole node. */
  readonly items?: readonly string[]
}

/** Whether a key decides about the way of requests for the tree, and if so how: by an order of the cluster, or by what a node says. */
export function concernsRouting(tree: string, key: string): 'order' | 'report' | undefined {
  if (key === keys.desired(tree) || key === keys.rollout(tree) || key.startsWith(keys.drains)) return 'order'
  if (key.startsWith(blockedOf(tree))) return 'order'
  const at = parseNodeKey(key)
  if (at?.family === 'alive' || at?.family === 'joined') return 'order'
  return at?.family === 'datasets' && at.tree === tree ? 'report' : undefined
}

export interface ClusterOptions {
  readonly tree: string
  /** By node: where this proxy reaches it, whatever it says itself. Such a node needs no agent that speaks with the store. */
  readonly fixed?: Readonly<Record<string, string>> | undefined
}

/** Reads what stands in the store, again and again; what has not changed since the last time costs next to nothing. */
export class ClusterReader {
  readonly #options: ClusterOptions
  readonly #reports = new Reports()
  #left: { readonly of: string; readonly networks: readonly string[] } = { of: '', networks: [] }

  constructor(options: ClusterOptions) {
    this.#options = options
  }

  /**
   * Takes the entries of one revision. `before` is what was known last: a node that is lost keeps its address and its id.
   * Values that cannot be read are as good as absent: nodes write some of them.
   */
  read(asOf: number, entries: Iterable<Entry>, before?: Cluster): Cluster {
    const { tree, fixed = {} } = this.#options
    const world = worldOf(tree, entries, Object.keys(fixed), this.#reports)
    const revision = revisionOf(world)
    const nodes = [...world.nodes].toSorted(([a], [b]) => (a < b ? -1 : 1))
    const reports = nodes.flatMap(([, { report }]) => (report === undefined ? [] : [report]))
    const released = reports.filter(({ applied }) => applied === revision && revision > 0)
    const releasedIds = this.#reports.union(released.map(({ ids }) => ids))
    const known = new Map(before?.members.map((member) => [member.node, member]))
    const taken = new Set(before?.members.map(({ id }) => id))
    const members = nodes.flatMap(([node, said]): readonly Member[] => {
      const last = known.get(node)
      const address = placeOf(said, tree, Object.hasOwn(fixed, node) ? fixed[node] : undefined, last)
      if (address === undefined) return []
      const { host, port } = address
      const id = last?.id ?? freeId(node, taken)
      const isSilent = !said.joined && said.alive === undefined
      const unserved = isSilent ? {} : unservedOf(said.report, releasedIds)
      const drains = [...(world.drains.get(node) ?? []), ...heldBack(node, world)]
      return [{ node, id, host, port, lost: said.joined && said.alive === undefined, drains, unserved }]
    })
    const items = this.#reports.union(reports.map(({ ids }) => ids)).sorted
    this.#reports.forget()
    const blocked = this.#leftOf(world.blocked)
    return { asOf, revision, items, members, ...(blocked.length > 0 && { blocked }) }
  }

  #leftOf(blocked: readonly string[]): readonly string[] {
    const of = blocked.join()
    if (of !== this.#left.of) this.#left = { of, networks: leftToProxies(blocked) }
    return this.#left.networks
  }
}

/** Once. */
export function clusterOf(options: ClusterOptions, asOf: number, entries: Iterable<Entry>, before?: Cluster): Cluster {
  return new ClusterReader(options).read(asOf, entries, before)
}

/** `released`: what the release that clients see has, as those nodes say that have it. */
function unservedOf(report: Report | undefined, released: Ids): Record<string, Unserved> {
  const unserved: [string, Unserved][] = (report?.troubled ?? []).map(([item, state]) => [item, state])
  // A list that was too long for the store leaves out what is served.
  const isWhole = report?.ids !== released && report?.partial !== true
  for (const item of isWhole ? released.sorted : []) {
    if (report?.ids.set.has(item) !== true) unserved.push([item, 'absent'])
  }
  return Object.fromEntries(unserved)
}

function placeOf(
  { alive }: Said,
  tree: string,
  fixed: string | undefined,
  last: Member | undefined,
): Pick<Member, 'host' | 'port'> | undefined {
  if (fixed !== undefined) return addressOf(fixed)
  return alive === undefined ? last : addressOf(alive.serves?.[tree])
}

/** `http://10.0.0.7:8080`: of the application itself, which has no TLS of its own. */
function addressOf(url: string | undefined): { readonly host: string; readonly port: number } | undefined {
  const [, v6, name, port = '80'] =
    /^http:\/\/(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]{1,253}))(?::(\d{1,5}))?\/?$/.exec(url ?? '') ?? []
  const host = v6 ?? name
  const isPort = Number(port) >= 1 && Number(port) <= PORT_MAX
  return host === undefined || !isPort ? undefined : { host, port: Number(port) }
}

const PORT_MAX = 65_535
const ID_MAX = 2 ** 31 - 1

function freeId(node: string, taken: Set<number>): number {
  let id = (hash32(node) % ID_MAX) + 1
  while (taken.has(id)) id = (id % ID_MAX) + 1
  taken.add(id)
  return id
}
