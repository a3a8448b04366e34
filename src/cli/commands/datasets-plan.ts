import { isError } from '../../core/errors.ts'
import { command } from '../command.ts'
import { CLIENT, TREE, withHub } from '../connect.ts'
import { renderError } from '../errors.ts'
import { releaseFolder } from '../release-folder.ts'
import { tellRelease } from '../release-view.ts'
import { STRATEGY, strategyOf } from '../strategy.ts'

export const datasetsPlan = command({
  arguments: [{ name: 'DIR', summary: 'the folder of fragments', completes: 'folder' }],
  options: {
    quarantine: { type: 'flag', summary: 'as if released with --quarantine' },
    ...STRATEGY,
    ...TREE,
    ...CLIENT,
  },
  details:
    'Says which datasets are loaded softly or hard, how long that took the last time, which node goes first and what the ' +
    'proxies drain. Contents that the hub lacks are brought to it, so that it can compare; nothing that any node reads changes.',
  examples: ['flotilla datasets plan datasets.d', 'flotilla datasets plan datasets.d --rolling --canary 2'],
  async run({ args, options }, context) {
    const { tree, quarantine, json } = options
    return withHub(options, context, async (hub) => {
      const strategy = strategyOf(options)
      const request = { tree, folder: args.DIR, message: 'plan', quarantine, dryRun: true, strategy }
      try {
        const { answer, ...before } = await releaseFolder(request, hub, context)
        tellRelease(answer, { ...before, json, dryRun: true }, context)
        return 0
      } catch (error) {
        if (!isError(error, 'GUARD')) throw error
        // Show what the guard holds up, then that it does.
        const { answer, ...before } = await releaseFolder({ ...request, confirmRemoval: true }, hub, context)
        tellRelease(answer, { ...before, json, dryRun: true }, context)
        return renderError(error, context.output, { json, debug: false })
      }
    })
  },
})
