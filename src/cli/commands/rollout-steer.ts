import { treeOption } from '../../core/status.ts'
import { clean } from '../../lib/clean.ts'
import { type Command, command } from '../command.ts'
import { CLIENT, TREE, withHub } from '../connect.ts'
import { followRollout } from '../follow-rollout.ts'
import { WAIT, waitMs } from '../wait.ts'

export const rolloutPause = steering('pause', {
  details:
    'No further node is changed. The one that is being changed goes on to its proof; what was proved stays. A rollout that is ' +
    'being taken back cannot be paused.',
  undo: 'flotilla rollout resume',
})

export const rolloutResume = steering('resume', {
  details: 'Goes on where it stood, also after a pause that the rollout made itself.',
  undo: 'flotilla rollout pause',
})

function steering(
  what: 'pause' | 'resume',
  { details, undo }: { readonly details: string; readonly undo: string },
): Command {
  return command({
    arguments: [],
    options: { ...TREE, ...CLIENT },
    details,
    examples: [`flotilla rollout ${what}`],
    async run({ options }, context) {
      const { output, signal } = context
      const answer = await withHub(options, context, ({ client }) =>
        client.steerRollout(options.tree, what, { signal }),
      )
      if (options.json) output.json('rollout', answer)
      else {
        output.print(clean(answer.summary))
        output.print(`undo: ${undo}${treeOption(options.tree)}`)
      }
      return 0
    },
  })
}

export const rolloutAbort = command({
  arguments: [],
  options: { ...WAIT, ...TREE, ...CLIENT },
  details:
    'Takes the change back from every node that has it. With --wait the exit code is 0 once each of them proves what it ' +
    'served before, and 3 if that takes longer than --timeout.',
  examples: ['flotilla rollout abort', 'flotilla rollout abort --wait'],
  async run({ options }, context) {
    const { tree, json } = options
    const { output, signal } = context
    const timeoutMs = waitMs(options)
    return withHub(options, context, async (hub) => {
      const answer = await hub.client.steerRollout(tree, 'abort', { signal })
      if (json) output.json('rollout', answer)
      else output.print(clean(answer.summary))
      if (timeoutMs === undefined || answer.rollout === undefined) return 0
      const { startedAtMs } = answer.rollout
      const code = await followRollout({ tree, which: { startedAtMs }, timeoutMs, json }, hub, context)
      return code === 3 ? 3 : 0
    })
  },
})
