import { resolve } from 'node:path'
import { FlotillaError } from '../../core/errors.ts'
import { writeAtomic } from '../../lib/atomic-file.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { problemLines } from '../errors.ts'
import { sorted } from '../findings.ts'
import { plural } from '../format.ts'
import { readValues, VALUES, withValues } from '../values.ts'

export const datasetsCompile = command({
  arguments: [],
  options: {
    from: {
      type: 'value',
      placeholder: 'DIR',
      summary: 'the folder of fragments',
      required: true,
      completes: 'folder',
    },
    to: {
      type: 'value',
      placeholder: 'FILE',
      summary: 'the datasets.xml to write; - for the standard output',
      required: true,
      completes: 'file',
    },
    template: {
      type: 'value',
      placeholder: 'FILE',
      summary: 'what stands around the datasets, instead of the one in DIR',
      completes: 'file',
    },
    ...VALUES,
    json: { type: 'flag', summary: 'print one JSON object' },
  },
  details:
    'Works alone, with no hub. Copies each dataset byte for byte, writes atomically and leaves an equal file untouched. With ' +
    'any error nothing is written and the exit code is 4. ${node.files} is DIR unless you say otherwise.',
  examples: [
    'flotilla datasets compile --from datasets.d --to /usr/local/tomcat/content/erddap/datasets.xml',
    'flotilla datasets compile --from datasets.d --to - --value data=/mnt/data',
  ],
  async run({ options }, context) {
    const { output, clock, signal, cwd } = context
    const toOutput = options.to === '-'
    if (toOutput && options.json) throw new FlotillaError('USAGE', '--json and --to - would mix on the standard output')
    const { compileFolder } = await import('../../app/folder.ts')
    const folder = resolve(cwd, options.from)
    const values = new Map([['name', 'here'], ['files', folder], ...(await readValues(options, context))])
    const template = options.template === undefined ? undefined : resolve(cwd, options.template)
    const compiled = await withValues(() => compileFolder(folder, { clock, template, values, signal }))
    for (const line of problemLines(sorted(compiled.warnings), output)) output.note(line)
    if (toOutput) {
      for (const chunk of compiled.chunks) output.out.write(chunk)
      return 0
    }
    const path = resolve(cwd, options.to)
    const written = await writeAtomic(path, compiled.chunks, { signal })
    const facts = { path, written, datasets: compiled.datasets.length, bytes: compiled.size, sha256: compiled.sha256 }
    tell(facts, options.json, context)
    return 0
  },
})

interface Facts {
  readonly path: string
  readonly written: string
  readonly datasets: number
  readonly bytes: number
}

function tell(facts: Facts, json: boolean, { output }: Context): void {
  if (json) output.json('compiled', facts)
  else
    output.print(
      `${facts.path}: ${facts.written}, ${plural(facts.datasets, 'dataset')}, ${plural(facts.bytes, 'byte')}`,
    )
}
