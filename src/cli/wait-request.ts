import type { NodeAnswer, StatusAnswer } from '../core/api.ts'
import type { ExitCode } from '../core/errors.ts'
import { clean } from '../lib/clean.ts'
import type { Hub } from './connect.ts'
import type { Context } from './context.ts'
import { plural, span } from './format.ts'
import { nodeProblem, problemText } from './node-view.ts'
import { currentStatus } from './wait.ts'

const POLL_MS = 500

interface WaitOptions {
  readonly tree: string
  /** Of the store: the request. */
  readonly revision: number
  readonly timeoutMs: number | undefined
}

/** Follows a request until every node has done it (0), one has failed with it and the others are done (1), or the time is over (3). */
export async function waitForRequest(options: WaitOptions, hub: Hub, context: Context): Promise<ExitCode> {
  const { tree, revision, timeoutMs } = options
  if (timeoutMs === undefined) return 0
  const { clock, output, signal } = context
  const endMs = clock.monotonicMs() + timeoutMs
  let waiting: readonly string[] = []
  while (clock.monotonicMs() < endMs) {
    const status = await currentStatus(tree, hub, context)
    if (status !== undefined) {
      waiting = status.nodes.filter((node) => !isOver(node, tree, revision)).map(({ node }) => node)
      if (waiting.length === 0) return tell(status, context)
      output.progress(`waiting for ${waiting.join(', ')}`)
    }
    await clock.sleep(POLL_MS, signal)
  }
  output.note(
    clean(`not done after ${span(timeoutMs)} on ${waiting.join(', ') || `any node: no answer from ${hub.url}`}`),
  )
  return 3
}

/** Whether what the node reports takes account of the request, and is settled. */
function isOver({ liveness, targets }: NodeAnswer, tree: string, revision: number): boolean {
  const { asOf = 0, state } = targets[tree] ?? {}
  return liveness === 'alive' && asOf >= revision && (state === 'in-step' || state === 'failed')
}

function tell({ nodes, tree }: StatusAnswer, { output }: Context): ExitCode {
  const failed = nodes.filter(({ targets }) => targets[tree]?.state === 'failed')
  for (const node of failed) {
    const problem = nodeProblem(node, tree)
    output.note(clean(`  ${node.node}: ${problem === undefined ? 'failed' : problemText(problem)}`))
  }
  if (failed.length > 0) return 1
  output.note(nodes.length === 0 ? 'no node has joined yet' : `done on ${plural(nodes.length, 'node')}`)
  return 0
}
