import type { NodeAnswer } from '../api.ts'
import type { ErrorCode } from '../errors.ts'
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
  readonly atMs: number
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
  return [...trees].toSorted().map((tree) => ofTree(tree, nodes))
}

function ofTree(tree: string, all: readonly NodeAnswer[]): FilesStatus {
  const nodes = all.filter(({ files, alive }) => alive?.filesPulled?.includes(tree) ?? files?.[tree] !== undefined)
  const good = nodes.filter(({ liveness, files }) => liveness === 'alive' && files?.[tree]?.state === 'in-step')
  const count = { nodes: nodes.length, inStep: good.length }
  const share = `files ${tree}, ${good.length}/${nodes.length} nodes have them`
  if (good.length === nodes.length) return { tree, state: 'in-step', summary: `IN STEP ${share}`, ...count }
  const troubled = nodes.find(({ liveness, files }) => liveness === 'lost' || files?.[tree]?.state === 'failed')
  if (troubled === undefined)
    return { tree, state: 'pending', summary: `PENDING ${share}${stillToCome(tree, nodes)}`, ...count }
  return { tree, state: 'failed', summary: `NOT IN STEP ${share}; ${whyNot(troubled, tree)}`, ...count }
}

function stillToCome(tree: string, nodes: readonly NodeAnswer[]): string {
  const slow = nodes.flatMap(({ node, files }) => {
    const pending = files?.[tree]?.pending?.files ?? 0
    return pending === 0 ? [] : [`${node} lacks ${pending}`]
  })
  return slow.length === 0 ? '' : `; ${slow.slice(0, 3).join(', ')}${slow.length > 3 ? ' …' : ''}`
}

function whyNot({ node, liveness, files }: NodeAnswer, tree: string): string {
  if (liveness === 'lost') return `${node} is lost`
  const { error, failed = [] } = files?.[tree] ?? {}
  const [first] = failed
  if (error !== undefined) return `${node}: ${error.message}`
  return first === undefined ? `${node} failed` : `${node}: ${first.key}: ${first.message}`
}
