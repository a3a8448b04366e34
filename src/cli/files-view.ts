import type { NodeAnswer, StatusAnswer } from '../core/api.ts'
import type { NodeFiles } from '../core/files/report.ts'
import { ago, plural } from './format.ts'
import { type Cell, type Output, table } from './output.ts'
import { size } from './sync-view.ts'

const STATES: Readonly<Record<NodeFiles['state'], Cell>> = {
  'in-step': { text: '✓ in step', colour: 'green' },
  pulling: { text: '… pulling', colour: 'yellow' },
  failed: { text: '✗ failed', colour: 'red' },
}

const HEAD = ['NODE', 'FILES OF', 'STATE', 'FILES', 'SIZE', 'TO COME', 'BEHIND SINCE', 'FROM', 'LAST ERROR'] as const

/** How each node fares with the files that it pulls, where any does. */
export function printFiles({ files = [], nodes }: StatusAnswer, nowMs: number, output: Output): void {
  const rows = files.flatMap(({ tree }) =>
    nodes
      .filter((node) => node.files?.[tree] !== undefined || node.alive?.filesPulled?.includes(tree) === true)
      .map((node) => rowOf(node, tree, nowMs)),
  )
  if (rows.length > 0) output.print()
  table(output, HEAD, rows)
}

function rowOf({ node, liveness, files }: NodeAnswer, tree: string, nowMs: number): Cell[] {
  const report = files?.[tree]
  if (report === undefined) return [node, tree, { text: '… no report yet', colour: 'yellow' }]
  const { state, pending, behindSinceMs, children, from = '-' } = report
  return [
    node,
    tree,
    liveness === 'lost' ? { text: '! lost', colour: 'red' } : stateOf(state, children),
    children === undefined ? String(report.files) : '-',
    children === undefined ? size(report.bytes) : '-',
    toCome(pending, children),
    behindSinceMs === undefined ? '-' : ago(behindSinceMs, nowMs),
    children === undefined ? from : `feeds ${plural(children.count, 'node')}`,
    troubleOf(report),
  ]
}

function stateOf(state: NodeFiles['state'], children: NodeFiles['children']): Cell {
  return children !== undefined && state === 'pulling' ? { text: '… feeding', colour: 'yellow' } : STATES[state]
}

function toCome(pending: NodeFiles['pending'], children: NodeFiles['children']): string {
  if (children !== undefined) return children.operations === 0 ? '-' : plural(children.operations, 'operation')
  return pending === undefined ? '-' : plural(pending.files, 'file')
}

function troubleOf({ error, failed = [], groups = {}, children }: NodeFiles): string {
  const troubled = children?.troubled
  if (troubled !== undefined) return `${troubled.name}: ${troubled.error ?? troubled.state}`
  if (error !== undefined) return error.message
  const [first] = failed
  if (first !== undefined) return `${first.key}: ${first.message}`
  const waiting = Object.entries(groups).filter(([, { staged }]) => staged.length > 0)
  return waiting.length === 0 ? '' : `${waiting[0]?.[0]} waits for other nodes`
}
