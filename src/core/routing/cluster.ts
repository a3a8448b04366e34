import { keys, parseNodeKey } from '../keys.ts'
import type { Desired } from '../release.ts'
import type { Drain, Rollout } from '../rollout.ts'
import type { Entry } from '../store.ts'
import type { NodeAlive, NodeDatasets } from '../target.ts'
import { hash32 } from './hash.ts'
import { isKey } from './key.ts'

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
  const at = parseNodeKey(key)
  if (at?.family === 'alive' || at?.family === 'joined') return 'order'
  return at?.family === 'datasets' && at.tree === tree ? 'report' : undefined
}

export interface ClusterOptions {
  readonly tree: string
  /** By node: where this proxy reaches it, whatever it says itself. Such a node needs no agent that speaks with the store. */
  readonly fixed?: Readonly<Record<string, string>> | undefined
}

/**
 * Reads the entries of one revision. `before` is what was known last: a node that is lost keeps its address and its id.
 * Values that cannot be read are as good as absent: nodes write some of them.
 */
export function clusterOf(
  { tree, fixed = {} }: ClusterOptions,
  asOf: number,
  entries: Iterable<Entry>,
  before?: Cluster,
): Cluster {
  const world = worldOf(tree, entries, Object.keys(fixed))
  const revision = revisionOf(world)
  const nodes = [...world.nodes].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const released = itemsAt(revision, nodes)
  const known = new Map(before?.members.map((member) => [member.node, member]))
  const taken = new Set(before?.members.map(({ id }) => id))
  const members = nodes.flatMap(([node, said]): readonly Member[] => {
    const last = known.get(node)
    const fixedUrl = Object.hasOwn(fixed, node) ? fixed[node] : undefined
    const address =
      fixedUrl === undefined && said.alive === undefined ? last : addressOf(fixedUrl ?? said.alive?.serves?.[tree])
    if (address === undefined) return []
    const { host, port } = address
    const id = last?.id ?? freeId(node, taken)
    const drains = world.drains.get(node) ?? []
    const isSilent = !said.joined && said.alive === undefined
    const unserved = isSilent ? {} : unservedOf(said.datasets, released)
    return [{ node, id, host, port, lost: said.joined && said.alive === undefined, drains, unserved }]
  })
  const items = new Set(nodes.flatMap(([, { datasets }]) => Object.keys(datasets?.items ?? {})))
  return { asOf, revision, items: [...items].filter((item) => isKey(item)).toSorted(), members }
}

interface Said {
  joined: boolean
  alive?: NodeAlive
  datasets?: NodeDatasets
}

interface World {
  desired: Desired | undefined
  rollout: Rollout | undefined
  readonly nodes: Map<string, Said>
  readonly drains: Map<string, MemberDrain[]>
}

function worldOf(tree: string, entries: Iterable<Entry>, fixed: readonly string[]): World {
  const world: World = { desired: undefined, rollout: undefined, nodes: new Map(), drains: new Map() }
  for (const { key, value } of entries) {
    if (key === keys.desired(tree)) world.desired = parsed(value) as Desired | undefined
    else if (key === keys.rollout(tree)) world.rollout = parsed(value) as Rollout | undefined
    else if (key.startsWith(keys.drains)) addDrain(world, tree, key, parsed(value))
    else addNode(world, tree, key, value)
  }
  // What a forgotten node, or one that never joined, left behind is no node.
  for (const [node, { joined, alive }] of world.nodes) if (!joined && alive === undefined) world.nodes.delete(node)
  for (const node of fixed) if (!world.nodes.has(node)) world.nodes.set(node, { joined: false })
  return world
}

function addDrain({ drains }: World, tree: string, key: string, drain: Partial<Drain> | undefined): void {
  const [, node, who] = key.split('/')
  if (node === undefined || who === undefined || drain?.tree !== tree) return
  const { by = '', reason = '', items } = drain
  const all = drains.get(node) ?? []
  all.push({ who, by, reason, ...(Array.isArray(items) && { items: items.filter((item) => isKey(item)) }) })
  drains.set(node, all)
}

function addNode({ nodes }: World, tree: string, key: string, value: string): void {
  const at = parseNodeKey(key)
  if (at === undefined) return
  const said = nodes.get(at.node) ?? { joined: false }
  if (at.family === 'joined') said.joined = true
  const alive = at.family === 'alive' ? (parsed(value) as NodeAlive | undefined) : undefined
  if (alive !== undefined) said.alive = alive
  const datasets =
    at.family === 'datasets' && at.tree === tree ? (parsed(value) as NodeDatasets | undefined) : undefined
  if (typeof datasets?.items === 'object') said.datasets = datasets
  nodes.set(at.node, said)
}

const ENDED: ReadonlySet<string> = new Set(['done', 'rolled-back', 'aborted'])

function revisionOf({ desired, rollout }: World): number {
  const isSeen = rollout?.exposed === true && !ENDED.has(rollout.state)
  return (isSeen ? rollout.release : desired?.release) ?? 0
}

/** What the release that clients see has, as those nodes say that have it. */
function itemsAt(revision: number, nodes: readonly (readonly [string, Said])[]): ReadonlySet<string> {
  const items = new Set<string>()
  for (const [, { datasets }] of nodes) {
    if (datasets?.applied !== revision || revision === 0) continue
    for (const item of Object.keys(datasets.items)) if (isKey(item)) items.add(item)
  }
  return items
}

function unservedOf(datasets: NodeDatasets | undefined, released: ReadonlySet<string>): Record<string, Unserved> {
  const unserved: [string, Unserved][] = []
  for (const [item, state] of Object.entries(datasets?.items ?? {})) {
    if ((state === 'failed' || state === 'loading') && isKey(item)) unserved.push([item, state])
  }
  // A list that was too long for the store leaves out what is served.
  for (const item of datasets?.partial === true ? [] : released) {
    if (datasets === undefined || !Object.hasOwn(datasets.items, item)) unserved.push([item, 'absent'])
  }
  return Object.fromEntries(unserved)
}

/** `http://10.0.0.7:8080`: of the application itself, which has no TLS of its own. */
function addressOf(url: string | undefined): { readonly host: string; readonly port: number } | undefined {
  const [, v6, name, port = '80'] =
    /^http:\/\/(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]{1,253}))(?::(\d{1,5}))?\/?$/.exec(url ?? '') ?? []
  const host = v6 ?? name
  return host === undefined ? undefined : { host, port: Number(port) }
}

const ID_MAX = 2 ** 31 - 1

function freeId(node: string, taken: Set<number>): number {
  let id = (hash32(node) % ID_MAX) + 1
  while (taken.has(id)) id = (id % ID_MAX) + 1
  taken.add(id)
  return id
}

function parsed(value: string): object | undefined {
  try {
    const data = JSON.parse(value) as unknown
    return typeof data === 'object' && data !== null ? data : undefined
  } catch {
    return undefined
  }
}
