import type { NodeAnswer, StatusAnswer } from '../core/api.ts'
import { isUnderWay, rolloutSummary } from '../core/rollout-words.ts'
import { isOf } from '../core/status.ts'
import type { NodeTarget, TargetError } from '../core/target.ts'
import { clean, cleanLine } from '../lib/clean.ts'
import { problemLines } from './errors.ts'
import { ago, plural } from './format.ts'
import { type Cell, type Colour, type Output, table } from './output.ts'

/** Never the colour alone: a sign and a word say the same. */
const STATES: Readonly<Record<string, { readonly text: string; readonly colour: Colour }>> = {
  'in-step': { text: '✓ in step', colour: 'green' },
  pending: { text: '… pending', colour: 'yellow' },
  unproved: { text: '? unproved', colour: 'yellow' },
  failed: { text: '✗ failed', colour: 'red' },
  lost: { text: '! lost', colour: 'red' },
  new: { text: '… no report yet', colour: 'yellow' },
  proxy: { text: '✓ proxy', colour: 'green' },
  'proxy-failed': { text: '✗ proxy', colour: 'red' },
  idle: { text: '- no part of it', colour: 'yellow' },
}

const HEADS: Readonly<Record<string, readonly [string, string]>> = { geoserver: ['OBJECTS', 'GEOSERVER'] }
const HEAD_OF_ERDDAP = ['DATASETS', 'ERDDAP'] as const

export function printNodes(status: StatusAnswer, nowMs: number, output: Output): void {
  const rows = status.nodes.map((node): Cell[] => {
    const target = node.targets[status.tree]
    return [
      node.node,
      stateOf(node, status),
      releaseOf(target, status.desired?.number, status.pins?.[node.node]),
      target === undefined ? '-' : `${target.progress.done}/${target.progress.total}`,
      target?.version ?? '-',
      target === undefined ? '-' : ago(target.atMs, nowMs),
      troubleOf(node, status.tree),
    ]
  })
  const kind = status.nodes.find(({ targets }) => targets[status.tree] !== undefined)?.targets[status.tree]?.kind ?? ''
  const head = HEADS[kind] ?? HEAD_OF_ERDDAP
  table(output, ['NODE', 'STATE', 'RELEASE', ...head, 'REPORTED', 'LAST ERROR'], rows)
}

export function stateOf(node: NodeAnswer, { tree, desired, pins, drains }: StatusAnswer): Cell {
  const target = node.targets[tree]
  const lagging = target?.state === 'in-step' && target.served !== (pins?.[node.node] ?? desired?.number)
  const state = node.liveness === 'lost' ? 'lost' : lagging ? 'pending' : (target?.state ?? withoutReport(node, tree))
  const cell = STATES[state]
  if (cell === undefined) return state
  return drains?.[node.node] === undefined ? cell : { ...cell, text: `${cell.text}, drained` }
}

function withoutReport(node: NodeAnswer, tree: string): string {
  if (isOf(node, tree)) return 'new'
  const proxies = Object.values(node.proxies ?? {})
  if (proxies.length === 0) return 'idle'
  return proxies.every(({ state }) => state === 'in-step') ? 'proxy' : 'proxy-failed'
}

/** `r12` where all is done; otherwise how far each of the three steps is. */
export function releaseOf(
  target: NodeTarget | undefined,
  desired: number | undefined,
  pin: number | undefined,
): string {
  if (target === undefined) return '-'
  const { staged, applied, served } = target
  const isPinned = pin !== undefined && pin !== desired
  if (served === (pin ?? desired) && applied === served) return `r${served}${isPinned ? ' (pinned)' : ''}`
  return `served ${nameOf(served)}, applied ${nameOf(applied)}, staged ${nameOf(staged)}`
}

function nameOf(release: number): string {
  return release === 0 ? 'none' : `r${release}`
}

/** What stands in the way on a node: the target's own error, or the first dataset's. */
export function nodeProblem(node: NodeAnswer, tree: string): TargetError | undefined {
  const target = node.targets[tree]
  if (target?.error !== undefined) return target.error
  for (const [dataset, { problem }] of Object.entries(target?.troubled ?? {})) {
    if (problem !== undefined) return { ...problem, dataset }
  }
  return undefined
}

export function troubleOf(node: NodeAnswer, tree: string): string {
  const problem = nodeProblem(node, tree)
  if (problem !== undefined) return problemText(problem)
  return Object.values(node.proxies ?? {}).find(({ error }) => error !== undefined)?.error ?? ''
}

/** `buoys/a.xml:7: coastBuoys: what is wrong`. */
export function problemText(error: TargetError): string {
  const { file = '', line, dataset, message } = error
  const place = file === '' ? [] : [line === undefined ? file : `${file}:${line}`]
  return [...place, ...(dataset === undefined ? [] : [dataset]), message].join(': ')
}

/** What stands in the folder that the hub follows, where that is not what was released. */
export function printFolder({ folder }: StatusAnswer, nowMs: number, output: Output): void {
  if (folder === undefined || folder.state === 'released') return
  const since = ago(folder.sinceMs, nowMs)
  if (folder.error === undefined) {
    output.print(clean(`folder ${folder.folder}: ${folder.state}, since ${since}`))
    return
  }
  const { message, problems } = folder.error
  output.print(`${output.paint('red', 'refused')} ${clean(`${folder.folder}, ${since}: ${message}`)}`)
  for (const line of problemLines(problems.slice(0, PROBLEMS_MAX), output)) output.print(`  ${line}`)
}

const PROBLEMS_MAX = 10

/** Who holds requests back from nodes, and why; what a rollout drains is part of it. */
export function printDrains({ drains = {}, nodes }: StatusAnswer, nowMs: number, output: Output): void {
  for (const { node } of nodes) {
    for (const { items, reason, by, atMs } of (drains[node] ?? []).filter(({ by: who }) => !isRollout(who))) {
      const what = items === undefined ? '' : ` for ${plural(items, 'dataset')}`
      const since = ago(atMs, nowMs)
      output.print(clean(`${node} is drained${what} by ${by}, ${since}: ${reason}; undo: flotilla undrain ${node}`))
    }
  }
}

function isRollout(who: string): boolean {
  return who.startsWith('rollout')
}

/** The last rollout, where its release was taken back and nothing has come after it. */
export function printTakenBack({ rollout, desired }: StatusAnswer, nowMs: number, output: Output): void {
  if (rollout === undefined || isUnderWay(rollout) || rollout.state === 'done') return
  if (rollout.from.release !== desired?.number) return
  const when = ago(rollout.endedAtMs ?? rollout.startedAtMs, nowMs)
  output.print(`${output.paint('yellow', 'note:')} ${clean(`${rolloutSummary(rollout)} (${when})`)}`)
}

/** Whoever asks for a tree that is empty has most likely mistyped one that is not. */
export function printTrees({ trees = [] }: StatusAnswer, output: Output): void {
  if (trees.length > 0) output.print(clean(`trees here: ${trees.join(', ')}`))
}

const WARNINGS_MAX = 10
const NAMED_MAX = 3

/** What nodes warn of: once, with the names of all that do. */
export function printWarnings(status: StatusAnswer, output: Output): void {
  const nodesOf = new Map<string, Set<string>>()
  for (const { node, targets } of status.nodes) {
    for (const warning of targets[status.tree]?.warnings ?? []) {
      const text = cleanLine(problemText(warning))
      nodesOf.set(text, (nodesOf.get(text) ?? new Set()).add(node))
    }
  }
  const sign = output.paint('yellow', 'warning')
  for (const [text, nodes] of [...nodesOf].slice(0, WARNINGS_MAX)) {
    const more = nodes.size > NAMED_MAX ? ` and ${nodes.size - NAMED_MAX} more` : ''
    output.print(`${sign} ${[...nodes].slice(0, NAMED_MAX).join(', ')}${more}: ${text}`)
  }
  const left = nodesOf.size - WARNINGS_MAX
  if (left > 0) output.print(`${sign} … and ${left} more; --json has all`)
}
