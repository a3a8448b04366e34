import type { RolloutAnswer, RolloutView } from '../core/api-rollout.ts'
import { type ExitCode, isError } from '../core/errors.ts'
import { isUnderWay, reasonText } from '../core/rollout-words.ts'
import { treeOption } from '../core/status.ts'
import { clean } from '../lib/clean.ts'
import type { Hub } from './connect.ts'
import type { Context } from './context.ts'
import { span } from './format.ts'
import { colourOf, exitOfRollout, newsOf } from './rollout-view.ts'

const POLL_MS = 500

interface FollowOptions {
  readonly tree: string
  /** Which rollout: that of a release, or the one that began then. */
  readonly which: { readonly release: number } | { readonly startedAtMs: number }
  readonly timeoutMs: number
  /** The result is the JSON object that was printed; how it goes is then only said to the person. */
  readonly json: boolean
}

/**
 * Follows a rollout to its end: 0 every node proves it, 4 a gate refused it and it was taken back, 1 somebody aborted it,
 * 3 it is still under way when the time is over. Says what each node comes to, a line each.
 */
export async function followRollout(options: FollowOptions, hub: Hub, context: Context): Promise<ExitCode> {
  const { clock, output, signal } = context
  const endMs = clock.monotonicMs() + options.timeoutMs
  let before: RolloutView | undefined
  while (clock.monotonicMs() < endMs) {
    const answer = await currentRollout(options.tree, hub, context)
    const rollout = answer?.rollout
    if (rollout !== undefined && !isMeant(rollout, options.which)) return await superseded(options, hub, context)
    if (answer !== undefined && rollout !== undefined) {
      for (const line of [...newsOf(rollout, before), ...turnOf(rollout, before)]) output.note(clean(`  ${line}`))
      if (!isUnderWay(rollout)) return tellEnd(answer, rollout, options, context)
      output.progress(answer.summary)
      before = rollout
    }
    await clock.sleep(POLL_MS, signal)
  }
  const option = treeOption(options.tree)
  output.note(`still under way after ${span(options.timeoutMs)}; follow it with: flotilla rollout --watch${option}`)
  return 3
}

function isMeant(rollout: RolloutView, which: FollowOptions['which']): boolean {
  if ('startedAtMs' in which) return rollout.startedAtMs === which.startedAtMs
  return rollout.release === which.release && rollout.requests === undefined
}

/** Said once: that it waits, stands or goes back, and why. */
function turnOf({ state, reason }: RolloutView, before: RolloutView | undefined): readonly string[] {
  if (state === before?.state && reason?.message === before.reason?.message) return []
  if (state === 'running') return reason === undefined ? [] : [`it waits: ${reasonText(reason)}`]
  if (state !== 'paused' && state !== 'reverting') return []
  const why = reason === undefined ? '' : `: ${reasonText(reason)}`
  return [`${state === 'paused' ? 'it is paused' : 'it is taken back'}${why}`]
}

function tellEnd(
  { summary }: RolloutAnswer,
  rollout: RolloutView,
  { json, tree }: FollowOptions,
  { output }: Context,
): ExitCode {
  const text = output.paint(colourOf(rollout), clean(summary))
  if (json) output.note(text)
  else output.print(text)
  if (rollout.state === 'rolled-back' && rollout.requests === undefined) {
    output.note(`every node serves r${rollout.from.release} as before; see: flotilla history${treeOption(tree)}`)
  }
  return exitOfRollout(rollout)
}

/** It has ended, and another one came: the history knows how. */
async function superseded({ tree, which }: FollowOptions, hub: Hub, { output, signal }: Context): Promise<ExitCode> {
  output.note('it has ended, and another rollout came after it; see: flotilla history')
  if (!('release' in which)) return 3
  const { outcomes = {} } = await hub.client.history(tree, undefined, { signal })
  const outcome = outcomes[String(which.release)]
  return outcome === undefined ? 0 : exitOfRollout(outcome)
}

/** Undefined while the hub is restarting: the rollout goes on when it is back. */
async function currentRollout(tree: string, hub: Hub, { signal }: Context): Promise<RolloutAnswer | undefined> {
  try {
    return await hub.client.rollout(tree, { signal })
  } catch (error) {
    if (isError(error, 'UNREACHABLE', 'NOT_READY')) return undefined
    throw error
  }
}
