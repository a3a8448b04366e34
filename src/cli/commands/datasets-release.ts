import { command } from '../command.ts'
import { CLIENT, TREE, withHub } from '../connect.ts'
import { releaseFolder } from '../release-folder.ts'
import { tellRelease } from '../release-view.ts'
import { WAIT, waitForNodes, waitMs } from '../wait.ts'

export const datasetsRelease = command({
  arguments: [{ name: 'DIR', summary: 'the folder of fragments', completes: 'folder' }],
  options: {
    message: { type: 'value', placeholder: 'TEXT', summary: 'what changed and why', short: 'm', required: true },
    ...WAIT,
    quarantine: { type: 'flag', summary: 'keep the last good version of files that fail their checks' },
    confirmRemoval: { type: 'flag', summary: 'go on although many datasets would be removed' },
    dryRun: { type: 'flag', summary: 'check and compare, change nothing' },
    ...TREE,
    ...CLIENT,
  },
  details:
    'The folder is checked as a whole, here and on the hub; with any error nothing changes and the exit code is 4. The nodes ' +
    'then load exactly what changed. With --wait the exit code is 0 in step, 1 failed, 3 still pending.',
  examples: [
    'flotilla datasets release datasets.d -m "better title for the buoys" --wait',
    'flotilla datasets release datasets.d -m "all but the broken one" --quarantine',
  ],
  async run({ args, options }, context) {
    const { tree, message, quarantine, confirmRemoval, dryRun, json } = options
    const timeoutMs = waitMs(options)
    return withHub(options, context, async (hub) => {
      const request = { tree, folder: args.DIR, message, quarantine, confirmRemoval, dryRun }
      const { answer, ...before } = await releaseFolder(request, hub, context)
      if (dryRun && !json) context.output.print('dry run, nothing was changed:')
      tellRelease(answer, { ...before, json, dryRun }, context)
      if (timeoutMs === undefined || dryRun) return 0
      return waitForNodes({ tree, timeoutMs, json: options.json, release: answer.release.number }, hub, context)
    })
  },
})
