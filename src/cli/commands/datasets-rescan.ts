import { command } from '../command.ts'
import { CLIENT, TREE, withHub } from '../connect.ts'
import { tellRelease } from '../release-view.ts'
import { WAIT, waitForChange, waitMs } from '../wait.ts'

export const datasetsRescan = command({
  arguments: [],
  options: {
    message: { type: 'value', placeholder: 'TEXT', summary: 'what changed and why', short: 'm' },
    confirmRemoval: { type: 'flag', summary: 'go on although many datasets would be removed' },
    ...WAIT,
    ...TREE,
    ...CLIENT,
  },
  details:
    'For a hub, or a node without one, that follows a folder of its own (`sources` in its configuration): it looks there at an ' +
    'interval by itself, and with this at once. What stands there is released also where it was taken back before.',
  examples: ['flotilla datasets rescan --wait', 'flotilla --nodes erd1,erd2,erd3 datasets rescan'],
  async run({ options }, context) {
    const { tree, message, confirmRemoval, json } = options
    const timeoutMs = waitMs(options)
    return withHub(options, context, async (hub) => {
      const { signal } = context
      const previous = (await hub.client.status(tree, { signal })).desired?.number ?? 0
      const answer = await hub.client.rescan(tree, { message, confirmRemoval }, { signal })
      tellRelease(answer, { previous, json }, context)
      return waitForChange(answer, { timeoutMs, json }, hub, context)
    })
  },
})
