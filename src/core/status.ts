import type { NodeAnswer, StatusAnswer } from './api.ts'
import type { RolloutView } from './api-rollout.ts'
import { filesStatusOf, type NodeFiles } from './files/report.ts'
import { parseNodeKey } from './keys.ts'
import type { ReleaseRecord } from './release.ts'
import type { NodeProxy } from './rollout.ts'
import { isUnderWay, rolloutSummary } from './rollout-words.ts'
import type { Entry } from './store.ts'
import { type NodeRendered, renderedStatusOf } from './templates/report.ts'
import type { NodeAlive, NodeServed, NodeTarget } from './target.ts'

/** What the entries under `node/` say, node by node, sorted by name. A node is alive while its lease holds. */
export function nodesOf(entries: readonly Entry[]): readonly NodeAnswer[] {
  const nodes = new Map<string, Seen>()
  for (const entry of entries) {
    const at = parseNodeKey(entry.key)
    if (at === undefined) continue
    const node = nodes.get(at.node) ?? { targets: {} }
    if (at.family === 'alive') node.alive = JSON.parse(entry.value) as NodeAlive
    if (at.family === 'target' && at.tree !== undefined) node.targets[at.tree] = JSON.parse(entry.value) as NodeTarget
    if (at.family === 'proxy' && at.tree !== undefined)
      node.proxies = { ...node.proxies, [at.tree]: JSON.parse(entry.value) as NodeProxy }
    if (at.family === 'files' && at.tree !== undefined)
      node.files = { ...node.files, [at.tree]: JSON.parse(entry.value) as NodeFiles }
    if (at.family === 'served') node.served = JSON.parse(entry.value) as NodeServed
    if (at.family === 'rendered') node.rendered = JSON.parse(entry.value) as NodeRendered
    nodes.set(at.node, node)
  }
  return [...nodes.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([node, seen]) => answerOf(node, seen))
}

function answerOf(node: string, { alive, targets, proxies, files, served, rendered }: Seen): NodeAnswer {
  return {
    node,
    liveness: alive === undefined ? 'lost' : 'alive',
    alive,
    targets,
    ...(proxies !== undefined && { proxies }),
    ...(files !== undefined && { files }),
    ...(served !== undefined && { served }),
    ...(rendered !== undefined && { rendered }),
  }
}

interface Seen {
  alive?: NodeAlive
  targets: Record<string, NodeTarget>
  proxies?: Record<string, NodeProxy>
  files?: Record<string, NodeFiles>
  served?: NodeServed
  rendered?: NodeRendered
}

export const DEFAULT_TREE = 'datasets'

/** Whether a release of the tree is expected of a node: nobody waits for one that only looks after a proxy, or has files. */
export function isOf({ targets, alive, proxies, files, served, rendered }: NodeAnswer, tree: string): boolean {
  if (targets[tree] !== undefined) return true
  return alive === undefined
    ? (proxies ?? files ?? served ?? rendered) === undefined
    : alive.trees?.includes(tree) !== false
}

/** What a command line has to add to mean this tree. */
export function treeOption(tree: string): string {
  return tree === DEFAULT_TREE ? '' : ` --tree ${tree}`
}

/** What a rollout does to the picture, and what stands in it besides. */
type Underway = Pick<StatusAnswer, 'rollout' | 'pins' | 'drains'>

/** One sentence and one state for a tree, and for what nodes keep besides. Says "in step" only of what every node proves. */
export function statusOf(
  tree: string,
  desired: ReleaseRecord | undefined,
  all: readonly NodeAnswer[],
  underway: Underway = {},
): StatusAnswer {
  const status = withFiles(tree, desired, all, underway)
  const rendered = renderedStatusOf(all)
  if (rendered === undefined) return status
  const next = rendered.state === 'failed' ? 'flotilla doctor' : undefined
  // Where nothing was ever released and no files are pulled, what is rendered is all there is.
  const isAll = desired === undefined && status.files === undefined && tree === DEFAULT_TREE
  if (isAll) return { ...status, state: rendered.state, summary: rendered.summary, next, rendered }
  if (rendered.state === 'in-step' || status.state !== 'in-step') return { ...status, rendered }
  return { ...status, state: 'failed', summary: `${rendered.summary}; ${status.summary}`, next, rendered }
}

function withFiles(
  tree: string,
  desired: ReleaseRecord | undefined,
  all: readonly NodeAnswer[],
  underway: Underway,
): StatusAnswer {
  const release = releaseStatus(tree, desired, all, underway)
  const every = filesStatusOf(all)
  if (every.length === 0) return release
  // Who asks for a tree of files by name wants to know of that one only; without releases files are all there is.
  const own = every.filter((one) => one.tree === tree)
  const files = own.length > 0 ? own : every
  const isAll = desired === undefined && (own.length > 0 || tree === DEFAULT_TREE)
  const worst = files.find(({ state }) => state === 'failed') ?? files.find(({ state }) => state === 'pending')
  const next = worst === undefined ? undefined : `flotilla status --watch${treeOption(tree)}`
  if (isAll) {
    const summary = worst?.summary ?? files.map((one) => one.summary).join('; ')
    return { ...release, state: worst?.state ?? 'in-step', summary, next, files }
  }
  if (worst === undefined) return { ...release, files }
  if (release.state !== 'in-step') return { ...release, files }
  return { ...release, state: worst.state, summary: `${worst.summary}; ${release.summary}`, next, files }
}

/** Of a release alone. */
export function releaseStatus(
  tree: string,
  desired: ReleaseRecord | undefined,
  all: readonly NodeAnswer[],
  underway: Underway = {},
): StatusAnswer {
  const base = { tree, desired, nodes: all, ...underway }
  const nodes = all.filter((node) => isOf(node, tree))
  if (desired === undefined) {
    return {
      ...base,
      state: 'empty',
      summary: `NOTHING RELEASED in ${tree}`,
      next: `flotilla datasets release DIR -m "first release"${treeOption(tree)}`,
    }
  }
  if (nodes.length === 0) {
    return { ...base, state: 'empty', summary: `NO NODES for r${desired.number}`, next: 'flotilla token join-code' }
  }
  const { rollout, pins = {} } = underway
  if (rollout !== undefined && isUnderWay(rollout)) {
    const state = rollout.state === 'running' ? 'pending' : 'failed'
    return { ...base, state, summary: rolloutSummary(rollout), next: rolloutNext(rollout) }
  }
  const proved = nodes.filter((node) => pins[node.node] === undefined && proves(node, tree, desired.number))
  const count = `${proved.length}/${nodes.length} nodes prove it`
  if (proved.length === nodes.length)
    return { ...base, state: 'in-step', summary: `IN STEP r${desired.number}, ${count}` }
  const pinned = nodes.find(({ node }) => pins[node] !== undefined)
  if (pinned !== undefined) {
    const why = `${pinned.node} is pinned to r${pins[pinned.node]}`
    return { ...base, state: 'pending', summary: `PENDING r${desired.number}, ${count}; ${why}` }
  }
  const troubled = nodes.find((node) => isTroubled(node, tree))
  if (troubled !== undefined) {
    return {
      ...base,
      state: 'failed',
      summary: `NOT IN STEP r${desired.number}, ${count}; ${reason(troubled, tree)}`,
      next: advice(troubled, tree),
    }
  }
  const silent = nodes.find(({ targets }) => targets[tree]?.state === 'unproved')
  const why = silent === undefined ? '' : `; ${reason(silent, tree)}`
  const next =
    silent === undefined
      ? `flotilla status --watch${treeOption(tree)}`
      : `on ${silent.node}: flotilla doctor --state DIR`
  return { ...base, state: 'pending', summary: `PENDING r${desired.number}, ${count}${why}`, next }
}

/** What to type next while a rollout is under way. */
export function rolloutNext({ tree, state }: Pick<RolloutView, 'tree' | 'state'>): string | undefined {
  const option = treeOption(tree)
  if (state === 'paused') return `flotilla rollout resume${option}, or flotilla rollout abort${option}`
  return state === 'running' || state === 'reverting' ? `flotilla rollout --watch${option}` : undefined
}

export function proves(node: NodeAnswer, tree: string, release: number): boolean {
  const target = node.targets[tree]
  return node.liveness === 'alive' && target?.state === 'in-step' && target.served === release
}

function isTroubled(node: NodeAnswer, tree: string): boolean {
  return node.liveness === 'lost' || node.targets[tree]?.state === 'failed'
}

function reason(node: NodeAnswer, tree: string): string {
  if (node.liveness === 'lost') return `${node.node} is lost`
  const target = node.targets[tree]
  const item = Object.entries(target?.troubled ?? {}).find(([, report]) => report.problem !== undefined)
  const problem = target?.error ?? item?.[1].problem
  const what = item === undefined || target?.error !== undefined ? '' : `${item[0]}: `
  return `${node.node}: ${what}${problem?.message ?? target?.state ?? 'failed'}`
}

function advice(node: NodeAnswer, tree: string): string {
  if (node.liveness === 'lost') return `start the agent on ${node.node}: flotilla agent`
  const dataset = Object.keys(node.targets[tree]?.troubled ?? {})[0]
  return (dataset === undefined ? `flotilla status --json` : `flotilla why ${dataset}`) + treeOption(tree)
}
