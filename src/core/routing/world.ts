import { keys, parseNodeKey } from '../keys.ts'
import type { ListEntry, ListName } from '../lists.ts'
import type { Desired } from '../release.ts'
import { isUnderWay } from '../rollout-words.ts'
import type { Drain, Rollout } from '../rollout.ts'
import type { Entry } from '../store.ts'
import type { NodeAlive } from '../target.ts'
import type { MemberDrain } from './cluster.ts'
import { isKey } from './key.ts'
import type { Report, Reports } from './reports.ts'

/** What stands in the store of one node. */
export interface Said {
  joined: boolean
  alive?: NodeAlive
  report?: Report
}

/** What stands in the store, put together by what it is of. */
export interface World {
  desired: Desired | undefined
  rollout: Rollout | undefined
  readonly nodes: Map<string, Said>
  readonly drains: Map<string, MemberDrain[]>
  /** Values of the list of blocked addresses. */
  readonly blocked: string[]
}

export function worldOf(tree: string, entries: Iterable<Entry>, fixed: readonly string[], reports: Reports): World {
  const world: World = { desired: undefined, rollout: undefined, nodes: new Map(), drains: new Map(), blocked: [] }
  const listed = blockedOf(tree)
  for (const { key, value } of entries) {
    if (key === keys.desired(tree)) world.desired = parsed(value) as Desired | undefined
    else if (key === keys.rollout(tree)) world.rollout = parsed(value) as Rollout | undefined
    else if (key.startsWith(listed)) addBlocked(world, parsed(value))
    else if (key.startsWith(keys.drains)) addDrain(world, tree, key, parsed(value))
    else addNode(world, tree, { key, value }, reports)
  }
  // What a forgotten node, or one that never joined, left behind is no node.
  for (const [node, { joined, alive }] of world.nodes) if (!joined && alive === undefined) world.nodes.delete(node)
  for (const node of fixed) if (!world.nodes.has(node)) world.nodes.set(node, { joined: false })
  return world
}

/** Where the blocked addresses of a tree stand. */
export function blockedOf(tree: string): string {
  return keys.list(tree, 'requestBlacklist' satisfies ListName, '')
}

function addBlocked({ blocked }: World, entry: Partial<ListEntry> | undefined): void {
  if (typeof entry?.value === 'string') blocked.push(entry.value)
}

function addDrain({ drains }: World, tree: string, key: string, drain: Partial<Drain> | undefined): void {
  const [, node, who] = key.split('/')
  if (node === undefined || who === undefined || drain?.tree !== tree) return
  const { by = '', reason = '', items } = drain
  const all = drains.get(node) ?? []
  all.push({ who, by, reason, ...(Array.isArray(items) && { items: items.filter((item) => isKey(item)) }) })
  drains.set(node, all)
}

function addNode({ nodes }: World, tree: string, { key, value }: Pick<Entry, 'key' | 'value'>, reports: Reports): void {
  const at = parseNodeKey(key)
  if (at === undefined) return
  const said = nodes.get(at.node) ?? { joined: false }
  if (at.family === 'joined') said.joined = true
  const alive = at.family === 'alive' ? (parsed(value) as NodeAlive | undefined) : undefined
  if (alive !== undefined) said.alive = alive
  const report = at.family === 'datasets' && at.tree === tree ? reports.of(value) : undefined
  if (report !== undefined) said.report = report
  nodes.set(at.node, said)
}

/** The rollout whose release clients see although it is not what is desired yet. */
function seenRollout({ rollout }: World): Rollout | undefined {
  return rollout?.exposed === true && isUnderWay(rollout) ? rollout : undefined
}

/** The release that clients see; 0 for none. */
export function revisionOf(world: World): number {
  return (seenRollout(world) ?? world.desired)?.release ?? 0
}

/**
 * Items for which a node is not asked although nobody drained it: it came while clients see a release which not every node has
 * yet, or it was away while a release went from node to node, and has not caught up. It serves what changed as it was before.
 */
export function heldBack(node: string, world: World): readonly MemberDrain[] {
  const { rollout, desired, nodes } = world
  const reason = seenRollout(world) === undefined ? lateFor(rollout, desired, nodes.get(node)) : newFor(rollout, node)
  if (reason === undefined) return []
  const items = Object.keys(rollout?.effects ?? {}).filter((item) => isKey(item))
  return [{ who: 'rollout', by: `rollout r${rollout?.release}`, reason, items }]
}

/** The rollout itself drains the nodes that it knows of. */
function newFor(rollout: Rollout | undefined, node: string): string | undefined {
  return Array.isArray(rollout?.order) && !rollout.order.includes(node) ? 'it came while that is under way' : undefined
}

function lateFor(
  rollout: Rollout | undefined,
  desired: Desired | undefined,
  said: Said | undefined,
): string | undefined {
  const isLast = rollout?.state === 'done' && rollout.release === desired?.release
  // A node without an agent that reports never says that it has caught up.
  if (!isLast || said?.joined !== true || said.report === undefined) return undefined
  return said.report.applied < rollout.release ? 'it was away, and has not caught up' : undefined
}

function parsed(value: string): object | undefined {
  try {
    const data = JSON.parse(value) as unknown
    return typeof data === 'object' && data !== null ? data : undefined
  } catch {
    return undefined
  }
}
