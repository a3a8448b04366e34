import { FlotillaError } from '../../core/errors.ts'
import { command } from '../command.ts'
import { CLIENT, TREE, withHub } from '../connect.ts'
import { withDataset } from '../datasets.ts'
import { plural } from '../format.ts'

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
    ...TREE,
    ...CLIENT,
  },
  details: 'For data that changed without its definition. Each node does it once, also one that is away just now.',
  examples: ['flotilla datasets reload coastBuoys', 'flotilla datasets reload --all --flag bad-files'],
  async run({ args, options }, context) {
    const { tree, flag } = options
    const datasets = args.DATASET
    if ((datasets.length === 0) !== options.all) {
      throw new FlotillaError('USAGE', options.all ? '--all and datasets exclude each other' : 'which datasets?', {
        hint: 'Name them, or give --all.',
      })
    }
    const request = { kind: 'reload' as const, flag, ...(!options.all && { datasets }) }
    const answer = await withHub(options, context, (hub) =>
      withDataset({ tree, dataset: datasets[0] ?? '' }, hub, context, () =>
        hub.client.request(tree, request, { signal: context.signal }),
      ),
    )
    const what = options.all ? 'every dataset' : plural(datasets.length, 'dataset')
    if (options.json) context.output.json('request', { ...answer, request })
    else context.output.print(`every node was asked to reload ${what} (${flag}), revision ${answer.revision}`)
    return 0
  },
})
