import type { NodeAnswer, StatusAnswer } from '../core/api.ts'
import { type ExitCode, FlotillaError } from '../core/errors.ts'
import { renderingText } from '../core/templates/report.ts'
import type { Hub } from './connect.ts'
import type { Context } from './context.ts'
import { ago, plural } from './format.ts'
import { type Cell, type Output, table } from './output.ts'

const LOST: Cell = { text: '! lost', colour: 'red' }
const FAILED: Cell = { text: '✗ failed', colour: 'red' }
const IN_STEP: Cell = { text: '✓ in step', colour: 'green' }

/** How each node fares with the files that templates make there, where any does. */
export function printRendered({ nodes }: StatusAnswer, nowMs: number, output: Output): void {
  const rows = nodes.flatMap(({ node, liveness, rendered }) => {
    if (rendered === undefined) return []
    const { state, files, inStep, failed, atMs } = rendered
    const cell = liveness === 'lost' ? LOST : state === 'in-step' ? IN_STEP : FAILED
    const [first] = failed
    const trouble = first === undefined ? '' : `${first.to}: ${renderingText(first)}`
    return [[node, cell, `${inStep}/${files}`, ago(atMs, nowMs), trouble]]
  })
  if (rows.length > 0) output.print()
  table(output, ['NODE', 'RENDERED', 'FILES', 'REPORTED', 'LAST ERROR'], rows)
}

/** Of one file, by its path: node by node, and what to do. */
export async function whyRendered(path: string, json: boolean, hub: Hub, context: Context): Promise<ExitCode> {
  const { output, clock, signal } = context
  const { nodes } = await hub.client.nodes({ signal })
  const seen = nodes.filter(
    (node) => failureOf(node, path) !== undefined || node.rendered?.paths.includes(path) === true,
  )
  if (seen.length === 0) throw new FlotillaError('NOT_FOUND', `no node renders ${path}`)
  const isGood = (node: NodeAnswer): boolean => node.liveness === 'alive' && failureOf(node, path) === undefined
  if (json) {
    const answer = seen.map((node) => ({
      node: node.node,
      liveness: node.liveness,
      state: isGood(node) ? 'in-step' : 'failed',
      problem: failureOf(node, path),
    }))
    output.json('why-rendered', { path, nodes: answer })
  } else {
    output.print(`${output.paint('bold', path)}  rendered on ${plural(seen.length, 'node')}`)
    output.print()
    const rows = seen.map((node) => rowOf(node, path, clock.nowMs(), isGood(node)))
    table(output, ['NODE', 'STATE', 'REPORTED', 'WHY'], rows)
  }
  return seen.every(isGood) ? 0 : 3
}

function rowOf(node: NodeAnswer, path: string, nowMs: number, isGood: boolean): Cell[] {
  const failure = failureOf(node, path)
  const state = node.liveness === 'lost' ? LOST : isGood ? IN_STEP : FAILED
  const hint = failure?.hint === undefined ? '' : `. ${failure.hint}`
  const why = failure === undefined ? '' : `${renderingText(failure)}${hint}`
  return [node.node, state, node.rendered === undefined ? '-' : ago(node.rendered.atMs, nowMs), why]
}

function failureOf({ rendered }: NodeAnswer, path: string) {
  return rendered?.failed.find(({ to }) => to === path)
}
