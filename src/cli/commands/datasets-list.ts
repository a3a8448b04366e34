import { resolve } from 'node:path'
import { FlotillaError } from '../../core/errors.ts'
import type { TreeItem } from '../../core/tree.ts'
import { command } from '../command.ts'
import { CLIENT, TREE, withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import { errorsOf } from '../findings.ts'
import { parseRelease, plural } from '../format.ts'
import { table } from '../output.ts'

export const datasetsList = command({
  arguments: [
    { name: 'DIR', summary: 'a folder; without it, the current release', optional: true, completes: 'folder' },
  ],
  options: {
    release: { type: 'value', placeholder: 'RELEASE', summary: 'of this release instead of the current one' },
    ...TREE,
    ...CLIENT,
  },
  examples: ['flotilla datasets list', 'flotilla datasets list --release r3', 'flotilla datasets list datasets.d'],
  async run({ args, options }, context) {
    const { output, signal } = context
    if (args.DIR !== undefined) {
      if (options.release !== undefined) throw new FlotillaError('USAGE', 'give a folder or --release, not both')
      const items = await itemsOfFolder(resolve(context.cwd, args.DIR), context)
      if (options.json) output.json('datasets', { items })
      else print(items, context)
      return 0
    }
    const release = options.release === undefined ? undefined : parseRelease(options.release)
    const answer = await withHub(options, context, ({ client }) => client.items(options.tree, release, { signal }))
    if (options.json) output.json('datasets', answer)
    else print(answer.items, context)
    return 0
  },
})

async function itemsOfFolder(folder: string, { clock, signal, output }: Context): Promise<readonly TreeItem[]> {
  const { checkFolder } = await import('../../app/folder.ts')
  const { items, problems } = await checkFolder(folder, { clock, signal })
  const errors = errorsOf(problems).length
  if (errors > 0) output.note(`${plural(errors, 'error')} in it; see: flotilla datasets check ${folder}`)
  return items
}

function print(items: readonly TreeItem[], { output }: Context): void {
  if (items.length === 0) output.print('no datasets')
  const rows = items.map(({ id, type, active, path, line }) => [id, type, active ? 'yes' : 'no', `${path}:${line}`])
  table(output, ['DATASET', 'TYPE', 'ACTIVE', 'WHERE'], rows)
}
