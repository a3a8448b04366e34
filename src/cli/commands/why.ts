import { FlotillaError } from '../../core/errors.ts'
import { command } from '../command.ts'
import { CLIENT, TREE, withHub } from '../connect.ts'
import { withDataset } from '../datasets.ts'
import { whyRendered } from '../rendered-view.ts'
import { printWhy } from '../why-view.ts'

export const why = command({
  arguments: [
    {
      name: 'DATASET',
      summary:
        'a datasetID, an object of a catalog such as layer/topp:states, or the path of a file that a template makes',
    },
  ],
  options: { ...TREE, ...CLIENT },
  examples: [
    'flotilla why coastBuoys',
    'flotilla why layer/topp:states --tree catalog',
    'flotilla why /etc/cluster/members.conf',
  ],
  async run({ args, options }, context) {
    const { tree } = options
    const dataset = args.DATASET
    // Paths of files are told whole. Items of a catalog have a slash in their ids as well, but not in front.
    if (dataset.startsWith('/'))
      return withHub(options, context, async (hub) => whyRendered(dataset, options.json, hub, context))
    const answer = await withHub(options, context, (hub) =>
      withDataset({ tree, dataset }, hub, context, async () => {
        const found = await hub.client.why(tree, dataset, { signal: context.signal })
        if (found.item !== undefined || found.history.length > 0) return found
        throw new FlotillaError('NOT_FOUND', `no release of ${tree} has a dataset "${dataset}"`)
      }),
    )
    if (options.json) context.output.json('why', answer)
    else printWhy(answer, context)
    return answer.nodes.every(({ state }) => state === 'served' || state === 'inactive') ? 0 : 3
  },
})
