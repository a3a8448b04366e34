import type { ReloadRequest } from '../../core/api.ts'
import type { StrategyRequest } from '../../core/api-rollout.ts'
import { type ExitCode, FlotillaError } from '../../core/errors.ts'
import { treeOption } from '../../core/status.ts'
import { clean } from '../../lib/clean.ts'
import { command } from '../command.ts'
import { CLIENT, type Hub, TREE, withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import { withDataset } from '../datasets.ts'
import { followRollout } from '../follow-rollout.ts'
import { plural } from '../format.ts'
import { strategyText } from '../rollout-view.ts'
import { STRATEGY, strategyOf } from '../strategy.ts'
import { waitForRequest } from '../wait-request.ts'
import { WAIT, waitMs } from '../wait.ts'

const { allAtOnce: _ofReleases, ...WAVES } = STRATEGY

export const datasetsReload = command({
  arguments: [{ name: 'DATASET', summary: 'which datasets', optional: true, variadic: true }],
  options: {
    all: { type: 'flag', summary: 'every dataset' },
    flag: {
      type: 'value',
      placeholder: 'KIND',
      summary:
        'how: soft serves the old version meanwhile; bad-files forgets which data files were bad; hard reads all again',
      choices: ['soft', 'bad-files', 'hard'],
      fallback: 'soft',
    },
    hard: { type: 'flag', summary: 'the same as --flag hard' },
    ...WAIT,
    ...WAVES,
    ...TREE,
    ...CLIENT,
  },
  details:
    'For data that changed without its definition. Each node does it once, also one that is away just now. With --rolling ' +
    'one after the other, drained at the proxies meanwhile, so that a hard reload takes the dataset away nowhere.',
  examples: [
    'flotilla datasets reload coastBuoys --wait',
    'flotilla datasets reload coastBuoys --hard --rolling --wait',
    'flotilla datasets reload --all --flag bad-files',
  ],
  async run({ args, options }, context) {
    const { tree, json } = options
    const datasets = args.DATASET
    if ((datasets.length === 0) !== options.all) {
      throw new FlotillaError('USAGE', options.all ? '--all and datasets exclude each other' : 'which datasets?', {
        hint: 'Name them, or give --all.',
      })
    }
    const flag = options.hard ? 'hard' : options.flag
    const request = { kind: 'reload' as const, flag, ...(!options.all && { datasets }) }
    const strategy = strategyOf({ ...options, allAtOnce: false })
    const reload = { tree, json, request, strategy, timeoutMs: waitMs(options) }
    return withHub<ExitCode>(options, context, async (hub) =>
      withDataset({ tree, dataset: datasets[0] ?? '' }, hub, context, () =>
        typeof strategy === 'object' ? inWaves(reload, hub, context) : everywhere(reload, hub, context),
      ),
    )
  },
})

interface Reload {
  readonly tree: string
  readonly json: boolean
  readonly request: ReloadRequest & Required<Pick<ReloadRequest, 'flag'>>
  readonly strategy: StrategyRequest | undefined
  readonly timeoutMs: number | undefined
}

async function everywhere({ tree, json, request, timeoutMs }: Reload, hub: Hub, context: Context): Promise<ExitCode> {
  const answer = await hub.client.request(tree, request, { signal: context.signal })
  const what = request.datasets === undefined ? 'every dataset' : plural(request.datasets.length, 'dataset')
  if (json) context.output.json('request', { ...answer, request })
  else {
    context.output.print(`every node was asked to reload ${what} (${request.flag}), revision ${answer.revision}`)
  }
  return waitForRequest({ tree, revision: answer.revision, timeoutMs }, hub, context)
}

async function inWaves(
  { tree, json, request, strategy, timeoutMs }: Reload,
  hub: Hub,
  context: Context,
): Promise<ExitCode> {
  const { output, signal } = context
  const settings = typeof strategy === 'object' ? strategy : {}
  const answer = await hub.client.startRollout(tree, { requests: request, strategy: settings }, { signal })
  const { rollout } = answer
  if (json) output.json('rollout', answer)
  else {
    output.print(clean(answer.summary))
    if (rollout !== undefined) output.print(strategyText(rollout.strategy))
    output.print(`undo: flotilla rollout abort${treeOption(tree)}`)
  }
  if (timeoutMs === undefined || rollout === undefined) return 0
  return followRollout({ tree, which: { startedAtMs: rollout.startedAtMs }, timeoutMs, json }, hub, context)
}
