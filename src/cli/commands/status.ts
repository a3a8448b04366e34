import type { StatusAnswer } from '../../core/api.ts'
import { type ExitCode, isError, messageOf } from '../../core/errors.ts'
import { clean } from '../../lib/clean.ts'
import { command } from '../command.ts'
import { CLIENT, type Hub, TREE, withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import { drawPage } from '../draw.ts'
import { printFiles } from '../files-view.ts'
import { releaseLine } from '../format.ts'
import { printRendered } from '../rendered-view.ts'
import { printDrains, printFolder, printNodes, printTakenBack, printTrees, printWarnings } from '../node-view.ts'

const POLL_MS = 1000

export const status = command({
  arguments: [],
  options: {
    ...TREE,
    watch: { type: 'flag', summary: 'go on until Ctrl-C: redraws on a terminal, prints changes in a pipe' },
    ...CLIENT,
  },
  details:
    'Says "in step" only of what every node proves by asking its application. The exit code is 0 in step, 3 when ' +
    'anything is pending or failed, 7 when the hub does not answer.',
  examples: ['flotilla status', 'flotilla status --watch', 'flotilla status --json'],
  async run({ options }, context) {
    return withHub(options, context, async (hub) => {
      if (options.watch) return watch(options, hub, context)
      const answer = await hub.client.status(options.tree, { signal: context.signal })
      print(answer, options.json, context)
      return exitOf(answer)
    })
  },
})

function exitOf({ state }: StatusAnswer): ExitCode {
  return state === 'in-step' ? 0 : 3
}

function print(answer: StatusAnswer, json: boolean, { output, clock }: Context): void {
  if (json) {
    output.json('status', answer)
    return
  }
  const colour = answer.state === 'in-step' ? 'green' : answer.state === 'failed' ? 'red' : 'yellow'
  output.print(output.paint(colour, clean(answer.summary)))
  if (answer.desired !== undefined) output.print(output.paint('dim', releaseLine(answer.desired, clock.nowMs())))
  const hasReleases = answer.desired !== undefined || (answer.files ?? answer.rendered) === undefined
  if (answer.nodes.length > 0 && hasReleases) {
    output.print()
    printNodes(answer, clock.nowMs(), output)
  }
  printFiles(answer, clock.nowMs(), output)
  printRendered(answer, clock.nowMs(), output)
  printDrains(answer, clock.nowMs(), output)
  printTakenBack(answer, clock.nowMs(), output)
  printTrees(answer, output)
  printWarnings(answer, output)
  printFolder(answer, clock.nowMs(), output)
  if (answer.next !== undefined) output.print(`\nnext: ${clean(answer.next)}`)
}

interface WatchOptions {
  readonly tree: string
  readonly json: boolean
}

/** Goes on while the hub is away: watching is for exactly such times. */
async function watch(options: WatchOptions, hub: Hub, context: Context): Promise<ExitCode> {
  const { output, clock, signal } = context
  let last = ''
  let code: ExitCode = 3
  while (!signal.aborted && output.out.closed !== true) {
    const seen = await look(options.tree, hub, context)
    if (typeof seen === 'object') code = exitOf(seen)
    const text = typeof seen === 'string' ? seen : JSON.stringify([seen.summary, seen.desired?.number])
    if (output.isTerminal && !options.json) {
      drawPage(seen, (answer, page) => print(answer, false, page), context)
    } else if (text !== last) {
      if (typeof seen === 'string') output.note(seen)
      else if (options.json) print(seen, true, context)
      else output.print(`${new Date(clock.nowMs()).toISOString()} ${clean(seen.summary)}`)
    }
    last = text
    await clock.sleep(POLL_MS, signal).catch(() => undefined)
  }
  return code
}

async function look(tree: string, hub: Hub, { signal }: Context): Promise<StatusAnswer | string> {
  try {
    return await hub.client.status(tree, { signal })
  } catch (error) {
    if (signal.aborted || isError(error, 'UNREACHABLE', 'NOT_READY')) return clean(messageOf(error))
    throw error
  }
}
