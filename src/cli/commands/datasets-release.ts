import type { ReleaseAnswer } from '../../core/api.ts'
import { treeOption } from '../../core/status.ts'
import { command } from '../command.ts'
import { CLIENT, type Hub, TREE, withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import { releaseFolder } from '../release-folder.ts'
import { tellRelease } from '../release-view.ts'
import { STRATEGY, strategyOf } from '../strategy.ts'
import { WAIT, waitForChange, waitMs } from '../wait.ts'

export const datasetsRelease = command({
  arguments: [{ name: 'DIR', summary: 'the folder of fragments', completes: 'folder' }],
  options: {
    message: { type: 'value', placeholder: 'TEXT', summary: 'what changed and why', short: 'm', required: true },
    ...WAIT,
    ...STRATEGY,
    quarantine: { type: 'flag', summary: 'keep the last good version of files that fail their checks' },
    confirmRemoval: { type: 'flag', summary: 'go on although many datasets would be removed' },
    dryRun: { type: 'flag', summary: 'check and compare, change nothing' },
    reloadAll: { type: 'flag', summary: 'then reload every dataset softly, also those that did not change' },
    ...TREE,
    ...CLIENT,
  },
  details:
    'The folder is checked as a whole, here and on the hub; with any error nothing changes and the exit code is 4. The nodes ' +
    'then load exactly what changed: all at once, or one after the other with --rolling or where the tree has a policy. With ' +
    '--wait the exit code is 0 in step, 1 failed, 3 still pending, 4 taken back because a node could not prove it.',
  examples: [
    'flotilla datasets release datasets.d -m "better title for the buoys" --wait',
    'flotilla datasets release datasets.d -m "new units" --rolling --canary 1 --wave 2 --soak 30s --wait',
    'flotilla datasets release datasets.d -m "all but the broken one" --quarantine',
  ],
  async run({ args, options }, context) {
    const { tree, message, quarantine, confirmRemoval, dryRun, json } = options
    const timeoutMs = waitMs(options)
    const strategy = strategyOf(options)
    return withHub(options, context, async (hub) => {
      const request = { tree, folder: args.DIR, message, quarantine, confirmRemoval, dryRun, strategy }
      const { answer, ...before } = await releaseFolder(request, hub, context)
      if (dryRun && !json) context.output.print('dry run, nothing was changed:')
      tellRelease(answer, { ...before, json, dryRun }, context)
      if (dryRun) return 0
      if (options.reloadAll) await reloadAll(answer, hub, context)
      return waitForChange(answer, { timeoutMs, json }, hub, context)
    })
  },
})

/** For what no change of a definition tells: data files, or files that definitions point to. */
async function reloadAll({ release, strategy }: ReleaseAnswer, hub: Hub, { output, signal }: Context): Promise<void> {
  if (strategy !== undefined) {
    output.note(
      'not every dataset is reloaded, as the release goes out in waves; after it: ' +
        `flotilla datasets reload --all --rolling${treeOption(release.tree)}`,
    )
    return
  }
  const { revision } = await hub.client.request(release.tree, { kind: 'reload', flag: 'soft' }, { signal })
  output.note(`every node was asked to reload every dataset (soft), revision ${revision}`)
}
