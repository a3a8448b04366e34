import { command } from '../command.ts'
import { CLIENT, TREE, withHub } from '../connect.ts'
import { withDataset } from '../datasets.ts'
import { waitForRequest } from '../wait-request.ts'
import { WAIT, waitMs } from '../wait.ts'

export const datasetsClearCache = command({
  arguments: [{ name: 'DATASET', summary: 'of this dataset; without it, of all', optional: true }],
  options: { ...WAIT, ...TREE, ...CLIENT },
  details:
    'Removes the files that each ERDDAP has decompressed or cached. They are made again when somebody asks for them.',
  examples: ['flotilla datasets clear-cache', 'flotilla datasets clear-cache coastBuoys'],
  async run({ args, options }, context) {
    const { tree } = options
    const dataset = args.DATASET
    const request = { kind: 'clear-cache' as const, ...(dataset !== undefined && { datasets: [dataset] }) }
    const timeoutMs = waitMs(options)
    return withHub(options, context, async (hub) => {
      const answer = await withDataset({ tree, dataset: dataset ?? '' }, hub, context, () =>
        hub.client.request(tree, request, { signal: context.signal }),
      )
      if (options.json) context.output.json('request', { ...answer, request })
      else {
        const whose = dataset === undefined ? 'the caches' : `the cache of ${dataset}`
        context.output.print(`every node was asked to clear ${whose}, revision ${answer.revision}`)
      }
      return waitForRequest({ tree, revision: answer.revision, timeoutMs }, hub, context)
    })
  },
})
