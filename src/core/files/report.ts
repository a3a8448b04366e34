import type { NodeAnswer } from '../api.ts'
import type { ErrorCode } from '../errors.ts'
import { type ChildView, isHeard } from '../push/distribution.ts'
import type { FailedFile } from '../sync/summary.ts'
import type { GroupReport } from './flip.ts'

/** Value of `node/<node>/files/<tree>`: how far a node is with a tree of files that it keeps in step with its source. */
export interface NodeFiles {
  /** `pulling` also while a generation that others show is not here yet. */
  readonly state: 'in-step' | 'pulling' | 'failed'
  /** Where it pulls from, without any secret; undefined while there is no such place. */
  readonly from?: string
  /** What is here and is meant to be. */
  readonly files: number
  readonly bytes: number
  /** What is known to be missing still. */
  readonly pending?: { readonly files: number; readonly bytes: number }
  /** When it was in step last; absent while it is. */
  readonly behindSinceMs?: number
  /** Why the whole of it stands still, be it for a while. */
  readonly error?: { readonly code: ErrorCode; readonly message: string; readonly hint?: string }
  /** Files that could not be brought over; at most 20. */
  readonly failed?: readonly FailedFile[]
  /** By name of the group: the generations that are flipped together with other nodes. */
  readonly groups?: Readonly<Record<string, GroupReport>>
  /** Of a tree that is written to here, or comes from a parent: how its children fare. `files` and `bytes` are 0 then. */
  readonly children?: ChildrenReport
  readonly atMs: number
}

export interface ChildrenReport {
  readonly count: number
  readonly inStep: number
  /** What they lack, all together. */
  readonly operations: number
  readonly bytes: number
  readonly stuck: number
  /** The first that cannot be fed, or cannot take something. */
  readonly troubled?: { readonly name: string; readonly state: ChildView['state']; readonly error?: string }
}

/** Of the children that no other root feeds; undefined for a tree without children. */
export function childrenReportOf(views: readonly ChildView[], atMs: number): NodeFiles | undefined {
  if (views.length === 0) return undefined
  const own = views.filter(({ isFedElsewhere }) => isFedElsewhere !== true)
  const sum = (count: (view: ChildView) => number): number => own.reduce((total, view) => total + count(view), 0)
  const troubled = own.find((view) => !isHeard(view) || view.stuck > 0) ?? own.find(({ below }) => below !== undefined)
  const inStep = own.filter(
    ({ state, stuck, below }) => state === 'in-step' && stuck === 0 && below === undefined,
  ).length
  const since = own.flatMap(({ behind }) => behind.sinceMs ?? [])
  return {
    state: troubled !== undefined ? 'failed' : inStep === own.length ? 'in-step' : 'pulling',
    files: 0,
    bytes: 0,
    ...(since.length > 0 && { behindSinceMs: Math.min(...since) }),
    children: {
      count: own.length,
      inStep,
      operations: sum(({ behind }) => behind.operations),
      bytes: sum(({ behind }) => behind.bytes),
      stuck: sum(({ stuck }) => stuck),
      ...(troubled && { troubled: troubleOf(troubled) }),
    },
    atMs,
  }
}

function troubleOf({ name, state, error, below }: ChildView): NonNullable<ChildrenReport['troubled']> {
  const why = error ?? (below && `below it ${below}`)
  return { name, state, ...(why !== undefined && { error: why.slice(0, 500) }) }
}

/** How all nodes fare with one tree of files. */
export interface FilesStatus {
  readonly tree: string
  readonly state: 'in-step' | 'pending' | 'failed'
  /** `IN STEP files data, 3/3 nodes have them`. */
  readonly summary: string
  /** Of all nodes that keep it, how many are in step. */
  readonly nodes: number
  readonly inStep: number
}

/** Every tree of files that some node keeps in step, sorted by name. */
export function filesStatusOf(nodes: readonly NodeAnswer[]): readonly FilesStatus[] {
  const trees = new Set(
    nodes.flatMap(({ files = {}, alive }) => [...Object.keys(files), ...(alive?.filesPulled ?? [])]),
  )
  const kept = [...trees].filter((tree) => nodes.some((node) => isKept(node, tree)))
  return kept.toSorted().map((tree) => ofTree(tree, nodes))
}

function ofTree(tree: string, all: readonly NodeAnswer[]): FilesStatus {
  const nodes = all.filter((node) => isKept(node, tree))
  const good = nodes.filter(({ liveness, files }) => liveness === 'alive' && files?.[tree]?.state === 'in-step')
  const count = { nodes: nodes.length, inStep: good.length }
  const share = `files ${tree}, ${good.length}/${nodes.length} nodes have them`
  if (good.length === nodes.length) return { tree, state: 'in-step', summary: `IN STEP ${share}`, ...count }
  const troubled = nodes.find(({ liveness, files }) => liveness === 'lost' || files?.[tree]?.state === 'failed')
  if (troubled === undefined)
    return { tree, state: 'pending', summary: `PENDING ${share}${stillToCome(tree, nodes)}`, ...count }
  return { tree, state: 'failed', summary: `NOT IN STEP ${share}; ${whyNot(troubled, tree)}`, ...count }
}

/** Whether the node keeps it in step with others, or others with itself. */
function isKept({ files, alive }: NodeAnswer, tree: string): boolean {
  const report = files?.[tree]
  if (report?.children !== undefined) return report.children.count > 0
  return alive?.filesPulled?.includes(tree) ?? report !== undefined
}

function stillToCome(tree: string, nodes: readonly NodeAnswer[]): string {
  const slow = nodes.flatMap(({ node, files }) => {
    const { pending: { files: pending } = { files: 0 }, children } = files?.[tree] ?? {}
    if (children !== undefined && children.operations > 0) return [`children of ${node} lack ${children.operations}`]
    return pending === 0 ? [] : [`${node} lacks ${pending}`]
  })
  return slow.length === 0 ? '' : `; ${slow.slice(0, 3).join(', ')}${slow.length > 3 ? ' …' : ''}`
}

function whyNot({ node, liveness, files }: NodeAnswer, tree: string): string {
  if (liveness === 'lost') return `${node} is lost`
  const { error, failed = [], children } = files?.[tree] ?? {}
  if (children?.troubled !== undefined) {
    const { name, state, error: message } = children.troubled
    return `${node}: its child ${name}${message === undefined ? ` is ${state}` : `: ${message}`}`
  }
  const [first] = failed
  if (error !== undefined) return `${node}: ${error.message}`
  return first === undefined ? `${node} failed` : `${node}: ${first.key}: ${first.message}`
}
