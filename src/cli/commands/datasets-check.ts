import { resolve } from 'node:path'
import { command } from '../command.ts'
import { countProblems, errorsOf, printProblems, sorted } from '../findings.ts'
import { plural } from '../format.ts'
import { readValues, VALUES, withValues } from '../values.ts'

export const datasetsCheck = command({
  arguments: [{ name: 'DIR', summary: 'the folder of fragments', completes: 'folder' }],
  options: {
    here: { type: 'flag', summary: 'also warn of folders and files that are missing on this machine' },
    erddapVersion: { type: 'value', placeholder: 'VERSION', summary: 'the ERDDAP that will read it, such as 2.23' },
    ...VALUES,
    json: { type: 'flag', summary: 'print one JSON object' },
  },
  details:
    'Knows what ERDDAP knows: a tag it would stop at, a datasetID it would refuse, the same datasetID in two files. Prints ' +
    'file:line:column of each finding. The exit code is 4 when there are errors.',
  examples: ['flotilla datasets check datasets.d', 'flotilla datasets check datasets.d --here --value data=/mnt/data'],
  async run({ args, options }, context) {
    const { output, clock, signal } = context
    const { checkFolder } = await import('../../app/folder.ts')
    const folder = resolve(context.cwd, args.DIR)
    const values = await readValues(options, context)
    const here = options.here ? new Map([['name', 'here'], ['files', folder], ...values]) : undefined
    const version = options.erddapVersion
    const { items, problems } = await withValues(() => checkFolder(folder, { clock, version, here, signal }))
    const files = new Set(items.map(({ path }) => path)).size
    const errors = errorsOf(problems).length
    if (options.json) {
      const counts = { datasets: items.length, files, errors, warnings: problems.length - errors }
      output.json('check', { ...counts, problems: sorted(problems) })
    } else {
      printProblems(problems, output)
      const colour = errors > 0 ? 'red' : problems.length > 0 ? 'yellow' : 'green'
      const found = `${plural(items.length, 'dataset')} in ${plural(files, 'file')}: ${countProblems(problems)}`
      output.print(output.paint(colour, found))
    }
    return errors > 0 ? 4 : 0
  },
})
