import { type Command, command } from '../command.ts'
import { CLIENT, TREE, withHub } from '../connect.ts'
import { withDataset } from '../datasets.ts'
import { tellRelease } from '../release-view.ts'
import { STRATEGY, strategyOf } from '../strategy.ts'
import { WAIT, waitForChange, waitMs } from '../wait.ts'

export const datasetsActivate = switching(true)
export const datasetsDeactivate = switching(false)

function switching(active: boolean): Command {
  const verb = active ? 'activate' : 'deactivate'
  return command({
    arguments: [{ name: 'DATASET', summary: 'a datasetID' }],
    options: {
      message: { type: 'value', placeholder: 'TEXT', summary: 'why', short: 'm' },
      ...WAIT,
      ...STRATEGY,
      ...TREE,
      ...CLIENT,
    },
    details:
      'Makes a new release. It stays so through the releases that follow, whatever the fragment says, until you switch it again.',
    examples: [`flotilla datasets ${verb} coastBuoys -m "sensor failed" --wait`],
    async run({ args, options }, context) {
      const { tree, message, json } = options
      const dataset = args.DATASET
      const timeoutMs = waitMs(options)
      const strategy = strategyOf(options)
      return withHub(options, context, async (hub) => {
        const { signal } = context
        const previous = (await hub.client.status(tree, { signal })).desired?.number ?? 0
        const answer = await withDataset({ tree, dataset }, hub, context, () =>
          hub.client.setActive(tree, dataset, { active, message, strategy }, { signal }),
        )
        tellRelease(answer, { previous, json }, context)
        return waitForChange(answer, { timeoutMs, json }, hub, context)
      })
    },
  })
}
