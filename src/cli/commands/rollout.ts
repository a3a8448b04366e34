import { type ExitCode, isError, messageOf } from '../../core/errors.ts'
import type { RolloutAnswer } from '../../core/api-rollout.ts'
import { isUnderWay } from '../../core/rollout-words.ts'
import { clean } from '../../lib/clean.ts'
import { command } from '../command.ts'
import { CLIENT, type Hub, TREE, withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import { drawPage } from '../draw.ts'
import { exitOfRollout, newsOf, printRollout } from '../rollout-view.ts'

const POLL_MS = 500

export const rollout = command({
  arguments: [],
  options: {
    ...TREE,
    watch: { type: 'flag', summary: 'go on until it has ended: redraws on a terminal, prints changes in a pipe' },
    ...CLIENT,
  },
  details:
    'Of the rollout that is under way, or of the last one. The exit code is 0 done, 3 under way, 4 taken back because a ' +
    'node could not prove it, 1 aborted, 7 when the hub does not answer.',
  examples: ['flotilla rollout', 'flotilla rollout --watch', 'flotilla rollout pause', 'flotilla rollout abort --wait'],
  async run({ options }, context) {
    return withHub(options, context, async (hub) => {
      if (options.watch) return watch(options, hub, context)
      const answer = await hub.client.rollout(options.tree, { signal: context.signal })
      print(answer, options.json, context)
      return exitOf(answer)
    })
  },
})

function exitOf({ rollout: last }: RolloutAnswer): ExitCode {
  return last === undefined ? 0 : exitOfRollout(last)
}

function print(answer: RolloutAnswer, json: boolean, { output, clock }: Context): void {
  if (json) output.json('rollout', answer)
  else printRollout(answer, clock.nowMs(), output)
}

interface WatchOptions {
  readonly tree: string
  readonly json: boolean
}

/** Goes on while the hub is away: so does the rollout, as soon as a hub is back. */
async function watch({ tree, json }: WatchOptions, hub: Hub, context: Context): Promise<ExitCode> {
  const { output, clock, signal } = context
  let last: RolloutAnswer | undefined
  while (!signal.aborted && output.out.closed !== true) {
    const seen = await look(tree, hub, context)
    if (output.isTerminal && !json) drawPage(seen, (answer, page) => print(answer, false, page), context)
    else if (typeof seen === 'string') output.note(seen)
    else if (seen.revision !== last?.revision) tellNews(seen, last, json, context)
    if (typeof seen === 'object') last = seen
    if (last !== undefined && (last.rollout === undefined || !isUnderWay(last.rollout))) return exitOf(last)
    await clock.sleep(POLL_MS, signal).catch(() => undefined)
  }
  return 3
}

function tellNews(seen: RolloutAnswer, last: RolloutAnswer | undefined, json: boolean, context: Context): void {
  if (json || seen.rollout === undefined) {
    print(seen, json, context)
    return
  }
  const at = new Date(context.clock.nowMs()).toISOString()
  for (const line of newsOf(seen.rollout, last?.rollout)) context.output.print(clean(`${at} ${line}`))
  if (seen.summary !== last?.summary) context.output.print(clean(`${at} ${seen.summary}`))
}

async function look(tree: string, hub: Hub, { signal }: Context): Promise<RolloutAnswer | string> {
  try {
    return await hub.client.rollout(tree, { signal })
  } catch (error) {
    if (signal.aborted || isError(error, 'UNREACHABLE', 'NOT_READY')) return clean(messageOf(error))
    throw error
  }
}
