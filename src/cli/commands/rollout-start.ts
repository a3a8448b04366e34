import { FlotillaError } from '../../core/errors.ts'
import { treeOption } from '../../core/status.ts'
import { clean } from '../../lib/clean.ts'
import { command } from '../command.ts'
import { CLIENT, TREE, withHub } from '../connect.ts'
import { followRollout } from '../follow-rollout.ts'
import { parseRelease } from '../format.ts'
import { strategyText } from '../rollout-view.ts'
import { SETTINGS, settingsOf } from '../strategy.ts'
import { WAIT, waitMs } from '../wait.ts'

export const rolloutStart = command({
  arguments: [{ name: 'RELEASE', summary: 'such as r12, which was taken back' }],
  options: { ...WAIT, ...SETTINGS, ...TREE, ...CLIENT },
  details:
    'For a release that is good, where a node was not: a full disk, a share that was away. Only the next step from what is ' +
    'served now can be taken; anything else is a release of its own.',
  examples: ['flotilla rollout start r12 --wait'],
  async run({ args, options }, context) {
    const { tree, json } = options
    const { output, signal } = context
    const release = parseRelease(args.RELEASE)
    const strategy = settingsOf(options)
    const timeoutMs = waitMs(options)
    return withHub(options, context, async (hub) => {
      const answer = await hub.client.startRollout(tree, { release, strategy }, { signal })
      const { rollout } = answer
      if (rollout === undefined) throw new FlotillaError('INTERNAL', 'the hub started a rollout and does not know it')
      if (json) output.json('rollout', answer)
      else {
        output.print(clean(answer.summary))
        output.print(strategyText(rollout.strategy))
        output.print(`undo: flotilla rollout abort${treeOption(tree)}`)
      }
      if (timeoutMs === undefined) return 0
      return followRollout({ tree, which: { startedAtMs: rollout.startedAtMs }, timeoutMs, json }, hub, context)
    })
  },
})
