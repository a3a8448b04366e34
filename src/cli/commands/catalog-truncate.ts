import type { ExitCode } from '../../core/errors.ts'
import { FlotillaError } from '../../core/errors.ts'
import { clean } from '../../lib/clean.ts'
import { CATALOG, layerKey } from '../catalog-options.ts'
import { command } from '../command.ts'
import { withHub } from '../connect.ts'
import { plural } from '../format.ts'
import { waitForRequest } from '../wait-request.ts'
import { WAIT, waitMs } from '../wait.ts'

export const catalogTruncate = command({
  arguments: [{ name: 'LAYER', summary: 'a layer or a group, such as topp:states', optional: true, variadic: true }],
  options: { all: { type: 'flag', summary: 'every layer and group' }, ...WAIT, ...CATALOG },
  details:
    'For tiles that went out of date without a change of the catalog, such as of new data. Each node does it once, also one ' +
    'that is away just now. Tiles of what a release changes are dropped by themselves.',
  examples: ['flotilla catalog truncate topp:states --wait', 'flotilla catalog truncate --all'],
  async run({ args, options }, context) {
    const { tree, all, json } = options
    if ((args.LAYER.length === 0) !== all) {
      throw new FlotillaError('USAGE', all ? '--all and layers exclude each other' : 'which layers?', {
        hint: 'Name them, or give --all.',
      })
    }
    const timeoutMs = waitMs(options)
    return withHub<ExitCode>(options, context, async (hub) => {
      const { items } = await hub.client.items(tree, undefined, { signal: context.signal })
      const known = items.map(({ id }) => id)
      const layers = args.LAYER.map((name) => layerKey(tree, name, known))
      const request = { kind: 'clear-cache' as const, ...(!all && { datasets: layers }) }
      const answer = await hub.client.request(tree, request, { signal: context.signal })
      if (json) context.output.json('request', { ...answer, request })
      else {
        const what = all ? 'every layer and group' : layers.length === 1 ? layers[0] : plural(layers.length, 'layer')
        context.output.print(clean(`every node was asked to drop the tiles of ${what}, revision ${answer.revision}`))
      }
      return waitForRequest({ tree, revision: answer.revision, timeoutMs }, hub, context)
    })
  },
})
