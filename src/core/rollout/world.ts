import { keys, parseNodeKey } from '../keys.ts'
import type { Desired } from '../release.ts'
import type { Drain, NodeProxy, Pin, Rollout } from '../rollout.ts'
import type { Entry } from '../store.ts'
import type { ItemReport, NodeTarget } from '../target.ts'

/** A value of the store, and the revision that wrote it. */
export type At<T> = T & { readonly revision: number }

/** What a rollout of one tree depends on, as it stood in the store at one revision. */
export interface World {
  readonly tree: string
  readonly revision: number
  readonly desired: At<Desired> | undefined
  /** By name, sorted: the nodes that have reported something of this tree. */
  readonly nodes: ReadonlyMap<string, NodeState>
  /** Of every node, also of those that are not there any more. */
  readonly pins: ReadonlyMap<string, At<Pin>>
  /** What this tree's rollout has drained, by node. */
  readonly drains: ReadonlyMap<string, At<Drain>>
  /** What others have drained for this tree, by node. */
  readonly foreign: ReadonlyMap<string, readonly Drain[]>
  readonly proxies: readonly ProxyState[]
}

export interface NodeState {
  readonly name: string
  readonly isAlive: boolean
  /** Undefined where it cannot be understood. */
  readonly report: NodeTarget | undefined
}

export interface ProxyState extends Partial<NodeProxy> {
  /** `nginx on erd1`. */
  readonly name: string
  readonly node: string
  readonly isAlive: boolean
}

/** The name that a tree's rollout drains under. */
export function drainer(tree: string): string {
  return `rollout-${tree}`
}

/** Whether an entry is part of the world of any tree. */
export function isOfWorld(key: string): boolean {
  const at = parseNodeKey(key)
  if (at !== undefined) return ['alive', 'target', 'proxy'].includes(at.family)
  return [keys.desiredOfAll, keys.rollouts, keys.drains].some((prefix) => key.startsWith(prefix))
}

/** What the entries of a store at `revision` say; others than those of `isOfWorld` are passed over. */
export function worldOf(tree: string, entries: Iterable<Entry>, revision: number): World {
  const alive = new Set<string>()
  const reports = new Map<string, NodeTarget | undefined>()
  const pins = new Map<string, At<Pin>>()
  const drains = new Map<string, At<Drain>>()
  const foreign = new Map<string, Drain[]>()
  const proxies: Entry[] = []
  let desired: At<Desired> | undefined
  for (const entry of entries) {
    const [top, first = '', second = '', third = ''] = entry.key.split('/')
    if (top === 'desired' && first === tree) {
      const value = withRevision(entry, isDesired)
      if (value === undefined) continue
      if (second === '') desired = value
      else pins.set(second, value as At<Pin>)
    } else if (top === 'drain') {
      const value = withRevision(entry, isDrain)
      if (value === undefined) continue
      if (second === drainer(tree)) drains.set(first, value)
      else if (value.tree === tree) foreign.set(first, [...(foreign.get(first) ?? []), value])
    } else if (top === 'node' && second === 'alive') alive.add(first)
    else if (top === 'node' && second === 'target' && third === tree) reports.set(first, parsed(entry, isReport))
    else if (top === 'node' && second === 'proxy') proxies.push(entry)
  }
  const nodes = [...reports].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return {
    tree,
    revision,
    desired,
    nodes: new Map(nodes.map(([name, report]) => [name, { name, isAlive: alive.has(name), report }])),
    pins,
    drains,
    foreign,
    proxies: proxies.map((entry) => proxyOf(entry, alive)),
  }
}

function proxyOf(entry: Entry, alive: ReadonlySet<string>): ProxyState {
  const [, node = '', , name = ''] = entry.key.split('/')
  return { ...parsed(entry, isProxy), name: `${name} on ${node}`, node, isAlive: alive.has(node) }
}

/** Undefined for a value that is none. */
export function rolloutIn(entry: Entry): Rollout | undefined {
  return parsed<Rollout>(entry, (value): value is Rollout => typeof value.state === 'string' && isDesired(value))
}

function withRevision<T>(entry: Entry, is: (value: Partial<T>) => value is T): At<T> | undefined {
  const value = parsed(entry, is)
  return value && { ...value, revision: entry.revision }
}

function parsed<T>(entry: Entry, is: (value: Partial<T>) => value is T): T | undefined {
  try {
    const value = JSON.parse(entry.value) as Partial<T> | null
    return typeof value === 'object' && value !== null && is(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isDesired(value: Partial<Desired>): value is Desired {
  return Number.isSafeInteger(value.release) && typeof value.manifest === 'string'
}

function isDrain(value: Partial<Drain>): value is Drain {
  return typeof value.tree === 'string' && (value.items === undefined || Array.isArray(value.items))
}

/** A node may write what it likes: only what is read of it is looked at. */
function isReport(value: Partial<NodeTarget>): value is NodeTarget {
  const { state, applied, served, troubled, progress, error } = value
  const isWhole = isObject(troubled) && Object.values(troubled).every(isItem) && isObject(progress) && isFault(error)
  return typeof state === 'string' && typeof applied === 'number' && typeof served === 'number' && isWhole
}

function isItem(value: unknown): boolean {
  return isObject(value) && isFault((value as Partial<ItemReport>).problem)
}

/** What is said of it is kept in the rollout. */
function isFault(value: unknown): boolean {
  if (value === undefined) return true
  if (!isObject(value)) return false
  const { code, message, file, line } = value as Record<string, unknown>
  const isPlace = ['undefined', 'string'].includes(typeof file) && (line === undefined || Number.isSafeInteger(line))
  return typeof code === 'string' && typeof message === 'string' && isPlace
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function isProxy(value: Partial<NodeProxy>): value is NodeProxy {
  const { state, asOf, error } = value
  return typeof state === 'string' && typeof asOf === 'number' && ['undefined', 'string'].includes(typeof error)
}
