import type { PolicyAnswer } from '../../core/api-rollout.ts'
import { type ExitCode, FlotillaError } from '../../core/errors.ts'
import { treeOption } from '../../core/status.ts'
import { clean } from '../../lib/clean.ts'
import { command } from '../command.ts'
import { CLIENT, type Hub, TREE, withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import { ago } from '../format.ts'
import { strategyText } from '../rollout-view.ts'
import { SETTINGS, settingsOf } from '../strategy.ts'

export const rolloutPolicy = command({
  arguments: [
    {
      name: 'ACTION',
      summary: 'set: change or make it, with the options; clear: releases go to every node at once again',
      optional: true,
      completes: ['set', 'clear'],
    },
  ],
  options: { ...SETTINGS, ...TREE, ...CLIENT },
  details:
    'How releases of a tree go out that do not say it themselves. `set` keeps what it does not name. Without a policy, ' +
    'releases go to every node at once.',
  examples: [
    'flotilla rollout policy',
    'flotilla rollout policy set --canary 1 --wave 2 --soak 30s --freeze "mon-fri 08:00-17:00"',
    'flotilla rollout policy set --sample "/tabledap/coastBuoys.csv?time 200"',
    'flotilla rollout policy clear',
  ],
  async run({ args, options }, context) {
    const settings = settingsOf(options)
    if (args.ACTION !== 'set' && Object.keys(settings).length > 0) {
      throw new FlotillaError('USAGE', 'settings are for `flotilla rollout policy set`')
    }
    return withHub<ExitCode>(options, context, async (hub) => {
      const { tree } = options
      const { signal } = context
      if (args.ACTION === undefined) print(await hub.client.policy(tree, { signal }), options.json, context)
      else if (args.ACTION === 'set') await set(tree, settings, options.json, hub, context)
      else if (args.ACTION === 'clear') await clear(tree, options.json, hub, context)
      else throw new FlotillaError('USAGE', `the policy can be set or cleared, not "${args.ACTION}"`)
      return 0
    })
  },
})

async function set(
  tree: string,
  settings: ReturnType<typeof settingsOf>,
  json: boolean,
  hub: Hub,
  context: Context,
): Promise<void> {
  const { signal } = context
  const { policy } = await hub.client.policy(tree, { signal })
  const answer = await hub.client.putPolicy(tree, { ...policy?.strategy, ...settings }, { signal })
  print(answer, json, context)
  if (!json && policy === undefined) context.output.print(`undo: flotilla rollout policy clear${treeOption(tree)}`)
}

async function clear(tree: string, json: boolean, hub: Hub, context: Context): Promise<void> {
  const { output, signal } = context
  await hub.client.deletePolicy(tree, { signal })
  if (json) output.json('policy', { tree })
  else output.print('releases go to every node at once')
}

function print(answer: PolicyAnswer, json: boolean, { output, clock }: Context): void {
  const { policy, strategy, tree } = answer
  if (json) output.json('policy', answer)
  else if (policy === undefined || strategy === undefined) {
    output.print('no policy: releases go to every node at once, unless they are made with --rolling')
    output.print(`\nnext: flotilla rollout policy set --canary 1 --soak 30s${treeOption(tree)}`)
  } else {
    output.print(`rolling: ${strategyText(strategy)}`)
    for (const { path, status, contains } of strategy.samples) {
      output.print(clean(`  ${path} must answer ${status}${contains === undefined ? '' : ` with "${contains}"`}`))
    }
    output.print(output.paint('dim', clean(`set by ${policy.author}, ${ago(policy.atMs, clock.nowMs())}`)))
  }
}
