import type { NodeAnswer, ReleaseAnswer, StatusAnswer } from '../core/api.ts'
import { type ExitCode, FlotillaError, isError } from '../core/errors.ts'
import { isOf, releaseStatus, treeOption } from '../core/status.ts'
import { clean } from '../lib/clean.ts'
import { parseDuration } from '../lib/duration.ts'
import type { Hub } from './connect.ts'
import type { Context } from './context.ts'
import { followRollout } from './follow-rollout.ts'
import { span } from './format.ts'
import { nodeProblem, problemText } from './node-view.ts'

/** Options of commands that can wait for the nodes. */
export const WAIT = {
  wait: { type: 'flag', summary: 'return only when every node proves it, or one has failed' },
  timeout: { type: 'value', placeholder: 'TIME', summary: 'how long to wait at most', fallback: '15m' },
} as const

/**
 * Follows a change that was just made to its end, in waves or to every node at once, where that was asked for. Answers
 * the exit code.
 */
export async function waitForChange(
  { release, strategy }: Pick<ReleaseAnswer, 'release' | 'strategy'>,
  { timeoutMs, json }: { readonly timeoutMs: number | undefined; readonly json: boolean },
  hub: Hub,
  context: Context,
): Promise<ExitCode> {
  if (timeoutMs === undefined) return 0
  const { tree, number } = release
  if (strategy === undefined) return waitForNodes({ tree, timeoutMs, json, release: number }, hub, context)
  return followRollout({ tree, which: { release: number }, timeoutMs, json }, hub, context)
}

const POLL_MS = 500
/** A failure that is shown while a node takes up a new release may still be that of the release before. */
const STALE_MS = 5000

interface WaitOptions {
  /** The result is the JSON object that was printed; how it ended is then only said to the person. */
  readonly json: boolean
  readonly tree: string
  readonly release: number
  readonly timeoutMs: number
}

/** How long to wait; undefined for not at all. Throws `USAGE`: ask before anything is changed. */
export function waitMs(options: { readonly wait: boolean; readonly timeout: string }): number | undefined {
  const ms = parseDuration(options.timeout)
  if (ms === undefined) {
    throw new FlotillaError('USAGE', `--timeout takes a time such as 90s or 15m, not "${options.timeout}"`)
  }
  return options.wait ? ms : undefined
}

/**
 * Follows the nodes until all prove `release` (0), one has failed with it and none is still busy (1), or the time is
 * over (3). Says how it goes, and how it ended.
 */
async function waitForNodes(options: WaitOptions, hub: Hub, context: Context): Promise<ExitCode> {
  const { clock, output, signal } = context
  const startedMs = clock.monotonicMs()
  const endMs = startedMs + options.timeoutMs
  let status: StatusAnswer | undefined
  while (clock.monotonicMs() < endMs) {
    status = (await currentStatus(options.tree, hub, context)) ?? status
    if (status !== undefined) {
      const settled = settle(status, options.release, clock.monotonicMs() - startedMs)
      if (settled !== undefined) return tell(settled, status, options.json, context)
      output.progress(`${status.summary} ${progressOf(status)}`)
    }
    await clock.sleep(POLL_MS, signal)
  }
  const end = clean(status === undefined ? `no answer from ${hub.url}` : status.summary)
  if (options.json) output.note(end)
  else output.print(end)
  output.note(
    `still not in step after ${span(options.timeoutMs)}; follow it with: flotilla status --watch${treeOption(options.tree)}`,
  )
  return 3
}

type Settled = 'in-step' | 'failed' | 'superseded' | 'nobody'

/** Undefined while it may still come right by itself. */
export function settle(status: StatusAnswer, release: number, waitedMs: number): Settled | undefined {
  if ((status.desired?.number ?? 0) > release) return 'superseded'
  if (releaseStatus(status.tree, status.desired, status.nodes, status).state === 'in-step') return 'in-step'
  if (status.nodes.length === 0) return 'nobody'
  const failed = status.nodes.filter((node) => hasFailed(node, status.tree, release, waitedMs))
  const nodes = status.nodes.filter((node) => isOf(node, status.tree))
  const busy = nodes.filter((node) => node.liveness === 'alive' && !failed.includes(node))
  const unsettled = busy.filter((node) => node.targets[status.tree]?.served !== release)
  return failed.length > 0 && unsettled.length === 0 ? 'failed' : undefined
}

function hasFailed(node: NodeAnswer, tree: string, release: number, waitedMs: number): boolean {
  const target = node.targets[tree]
  if (target?.state !== 'failed') return false
  return target.staged === release || waitedMs >= STALE_MS
}

function tell(settled: Settled, status: StatusAnswer, json: boolean, { output }: Context): ExitCode {
  const say = (text: string): void => (json ? output.note(text) : output.print(text))
  // What each node says of a failure follows on lines of its own.
  const summary = settled === 'failed' ? status.summary.split(';')[0] : status.summary
  say(output.paint(settled === 'in-step' ? 'green' : 'yellow', clean(summary ?? status.summary)))
  if (settled === 'in-step') return 0
  if (settled === 'superseded') output.note('another release came in between; see: flotilla history')
  if (settled === 'nobody') output.note('no node has joined yet; next: flotilla token join-code')
  if (settled !== 'failed') return 3
  for (const node of status.nodes) {
    const problem = nodeProblem(node, status.tree)
    if (problem !== undefined) say(clean(`  ${node.node}: ${problemText(problem)}`))
  }
  if (status.next !== undefined) output.note(`next: ${status.next}`)
  return 1
}

/** A hub that is restarting is no reason to give up. */
export async function currentStatus(tree: string, hub: Hub, { signal }: Context): Promise<StatusAnswer | undefined> {
  try {
    return await hub.client.status(tree, { signal })
  } catch (error) {
    if (isError(error, 'UNREACHABLE', 'NOT_READY')) return undefined
    throw error
  }
}

function progressOf({ nodes, tree }: StatusAnswer): string {
  const parts = nodes.flatMap(({ node, targets }) => {
    const progress = targets[tree]?.progress
    return progress === undefined || progress.done === progress.total
      ? []
      : [`${node} ${progress.done}/${progress.total}`]
  })
  return parts.length === 0 ? '' : `(${parts.join(', ')})`
}
