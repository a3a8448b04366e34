import { dirname, resolve } from 'node:path'
import { FlotillaError } from '../../core/errors.ts'
import { agentFile } from '../agent-state.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { filePath } from '../files-at.ts'
import { namedFolders } from '../files-settings.ts'
import { plural } from '../format.ts'
import { serviceSources } from '../service.ts'
import { size } from '../sync-view.ts'

export const filesPublish = command({
  arguments: [
    { name: 'DIR', summary: 'the folder to publish; it stays as it is', completes: 'folder' },
    { name: 'PATH', summary: 'TREE/FOLDER: what it replaces as a whole, in a tree that is served here' },
  ],
  options: {
    tree: { type: 'list', placeholder: 'NAME=DIR', summary: 'where the tree lies, as `files serve` was told' },
    state: {
      type: 'value',
      placeholder: 'DIR',
      summary: 'or the state folder of the agent that serves it',
      completes: 'folder',
    },
    config: { type: 'value', placeholder: 'FILE', summary: 'or the configuration of the agent', completes: 'file' },
    keep: {
      type: 'value',
      placeholder: 'N',
      summary: 'how many older generations stay',
      fallback: '1',
      form: { test: (text) => /^\d{1,3}$/.test(text), words: 'a number from 0 to 999' },
    },
    json: { type: 'flag', summary: 'print one JSON object' },
  },
  details:
    'Copies the files beside the ones that are served, then shows all of them in one moment: readers see the old folder or the new one, ' +
    'never a mixture, and who has begun to read the old one ends with it. The new folder is all there is then: what is not in it is no ' +
    'longer visible, and stays only in the older generations that are kept. Files that are the same, by size and time, cost no room. ' +
    'Nodes that pull the folder as a group show it as a whole too.',
  examples: [
    'flotilla files publish /scratch/run data/models/latest --tree data=/srv/data',
    'flotilla files publish /scratch/run data/models/latest --state /var/lib/flotilla-agent --keep 3',
  ],
  async run({ options, args }, context) {
    const { output, clock, cwd, signal } = context
    const { tree, key } = filePath(args.PATH.replace(/\/+$/, ''))
    const root = await rootOf(tree, options, context)
    const { publishFolder } = await import('../../app/files-publish.ts')
    const from = resolve(cwd, args.DIR)
    const published = await publishFolder({ from, root, group: key, keep: Number(options.keep), clock, signal })
    if (options.json) {
      output.json('files-published', { tree, group: key, ...published })
      return 0
    }
    const { generation, files, bytes, unchanged, gone, changed } = published
    const what = `${plural(files, 'file')}, ${size(bytes)}`
    const left = gone === 0 ? '' : `; ${plural(gone, 'file')} of the one before ${gone === 1 ? 'is' : 'are'} not in it`
    if (changed) {
      output.print(`generation ${generation} of ${tree}/${key}: ${what}, of them ${unchanged} unchanged${left}`)
    } else output.print(`nothing to do: generation ${generation} of ${tree}/${key} has the same ${what}`)
    return 0
  },
})

interface Where {
  readonly tree: readonly string[]
  readonly state: string | undefined
  readonly config: string | undefined
}

/** The folder of the tree. */
async function rootOf(tree: string, options: Where, context: Context): Promise<string> {
  const named = namedFolders(options.tree)[tree]
  if (named !== undefined) return resolve(context.cwd, named)
  const hint = `Say where it lies: --tree ${tree}=DIR, or --state DIR of the agent that serves it.`
  if (options.tree.length > 0) throw new FlotillaError('USAGE', `no --tree is called ${tree}`, { hint })
  const [{ loadConfig }, { agentSchema }, { absolute }] = await Promise.all([
    import('../../config/load.ts'),
    import('../../config/agent.ts'),
    import('../../config/paths.ts'),
  ])
  const file = await agentFile(options, context).catch((error: unknown) => {
    throw options.state === undefined && options.config === undefined
      ? new FlotillaError('USAGE', `it is not known where the tree ${tree} lies`, { hint })
      : error
  })
  const { base: _, ...sources } = await serviceSources(file, {}, context)
  const folder = loadConfig(agentSchema, sources).files?.trees[tree]?.folder
  if (folder === undefined)
    throw new FlotillaError('NOT_FOUND', `the agent of ${file} serves no tree ${tree}`, { hint })
  return absolute(dirname(file), folder)
}
