import type { NodeAnswer } from '../../core/api.ts'
import type { DrainAnswer } from '../../core/api-rollout.ts'
import { type ExitCode, FlotillaError } from '../../core/errors.ts'
import { clean } from '../../lib/clean.ts'
import { command } from '../command.ts'
import { CLIENT, type Hub, TREE, withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import { plural, span } from '../format.ts'
import { waitMs } from '../wait.ts'

const POLL_MS = 250

export const drain = command({
  arguments: [{ name: 'NODE', summary: 'whose requests go to the other nodes' }],
  options: {
    datasets: { type: 'value', placeholder: 'A,B', summary: 'these datasets only; the whole node when left out' },
    message: { type: 'value', placeholder: 'TEXT', summary: 'why; stands in the status', short: 'm' },
    wait: { type: 'flag', summary: 'return only when every proxy has taken it over' },
    timeout: { type: 'value', placeholder: 'TIME', summary: 'how long to wait at most', fallback: '60s' },
    ...TREE,
    ...CLIENT,
  },
  details:
    'The proxies send the node no new requests; those under way are finished. Takes the place of an earlier drain of that ' +
    'node. Datasets that no other node serves are still sent there. With --wait the exit code is 0 in force, 3 not yet.',
  examples: ['flotilla drain erd2 -m "new disks" --wait', 'flotilla drain erd2 --datasets coastBuoys,wind'],
  async run({ args, options }, context) {
    const { output, signal } = context
    const node = args.NODE
    const datasets = options.datasets?.split(',').filter((id) => id !== '')
    if (datasets?.length === 0) throw new FlotillaError('USAGE', '--datasets names none')
    const timeoutMs = waitMs(options)
    return withHub(options, context, async (hub) => {
      const request = { tree: options.tree, datasets, reason: options.message }
      const answer = await hub.client.drain(node, request, { signal })
      if (options.json) output.json('drain', answer)
      else {
        const what = datasets === undefined ? '' : ` for ${plural(datasets.length, 'dataset')}`
        output.print(`${node} is drained${what}, revision ${answer.revision}`)
        output.print(`undo: flotilla undrain ${node}`)
      }
      return timeoutMs === undefined ? 0 : waitForProxies(answer, timeoutMs, hub, context)
    })
  },
})

export const undrain = command({
  arguments: [{ name: 'NODE', summary: 'that gets its requests again' }],
  options: CLIENT,
  details: 'Ends what `flotilla drain` began. A drain of a rollout ends with the rollout.',
  examples: ['flotilla undrain erd2'],
  async run({ args, options }, context) {
    const { output, signal } = context
    const answer = await withHub(options, context, ({ client }) => client.undrain(args.NODE, { signal }))
    if (options.json) output.json('drain', answer)
    else if (answer.unchanged === true) output.print(`${args.NODE} was not drained by hand: nothing to end`)
    else output.print(`${args.NODE} gets its requests again, revision ${answer.revision}`)
    return 0
  },
})

/** 0 once every live proxy has taken the drain over, 3 when the time is over. */
async function waitForProxies(
  { revision }: DrainAnswer,
  timeoutMs: number,
  hub: Hub,
  { clock, output, signal }: Context,
): Promise<ExitCode> {
  const endMs = clock.monotonicMs() + timeoutMs
  let late: readonly string[] = []
  do {
    const all = (await hub.client.nodes({ signal })).nodes.flatMap(proxiesOf)
    late = all.filter((proxy) => !proxy.inStep || proxy.asOf < revision).map(({ name }) => name)
    if (late.length === 0) {
      output.note(
        all.length === 0
          ? 'there is no proxy that could drain it'
          : `in force at ${plural(all.length, 'proxy', 'proxies')}`,
      )
      return 0
    }
    output.progress(`waiting for ${late.join(', ')}`)
    await clock.sleep(POLL_MS, signal)
  } while (clock.monotonicMs() < endMs)
  output.note(clean(`not in force after ${span(timeoutMs)} at ${late.join(', ')}`))
  return 3
}

function proxiesOf({
  node,
  liveness,
  proxies = {},
}: NodeAnswer): readonly { name: string; asOf: number; inStep: boolean }[] {
  return Object.entries(proxies).map(([name, { asOf, state }]) => ({
    name: `${name} on ${node}`,
    asOf,
    inStep: liveness === 'alive' && state === 'in-step',
  }))
}
