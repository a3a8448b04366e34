import { resolve } from 'node:path'
import type { Verified } from '../../app/files-verify.ts'
import { FlotillaError } from '../../core/errors.ts'
import { cleanLine } from '../../lib/clean.ts'
import { command } from '../command.ts'
import { FILES_AT, filesAt, filesPath } from '../files-at.ts'
import { plural } from '../format.ts'

export const filesVerify = command({
  arguments: [{ name: 'PATH', summary: 'TREE, or TREE/PREFIX' }],
  options: {
    dir: {
      type: 'value',
      placeholder: 'DIR',
      summary: 'read this copy of the tree on this machine, and compare it with what the service knows',
      completes: 'folder',
    },
    ...FILES_AT,
  },
  details:
    'Reads every file again, as the service sends it, and compares it with the hash that the service keeps: of what is 1 MiB or ' +
    'larger, and of what was uploaded or pulled with one. With --dir, reads a copy of the tree in a folder here, and compares each file ' +
    'with that hash, or else with what the service sends. Names what is damaged or missing; the exit code is 3 when anything is.',
  examples: ['flotilla files verify data', 'flotilla files verify data/icon/ --dir /srv/data --url http://node1:8480'],
  async run({ options, args }, context) {
    const { output, clock, cwd, signal } = context
    const [{ sourceAt }, { verifyFiles }] = await Promise.all([
      import('../../app/files-look.ts'),
      import('../../app/files-verify.ts'),
    ])
    const { tree, key: prefix } = filesPath(args.PATH)
    const source = sourceAt(await filesAt(options, context), tree, clock)
    try {
      const { files, bytes, damaged, unhashed } = await verifyFiles({
        source,
        prefix,
        folder: options.dir === undefined ? undefined : resolve(cwd, options.dir),
        onDamage: ({ key, fault, message }) => {
          if (options.json) output.json('damage', { tree, key, fault, message })
          else if (fault !== 'unhashed') output.print(cleanLine(`${fault}  ${tree}/${key}: ${message}`))
        },
        onProgress: (sofar) => output.progress(`${plural(sofar.files, 'file')} read`),
        signal,
      })
      if (files === 0 && prefix !== '') {
        throw new FlotillaError('NOT_FOUND', `there is no file ${tree}/${prefix}…`, {
          hint: `See what is there: flotilla files ls ${tree}`,
        })
      }
      if (options.json) output.json('files-verify', { tree, prefix, files, bytes, damaged, unhashed })
      else for (const line of said({ files, damaged, unhashed })) output.print(line)
      return damaged === 0 ? 0 : 3
    } finally {
      await source.close()
    }
  },
})

/** What was done, and what could not be. */
function said({ files, damaged, unhashed }: Omit<Verified, 'bytes'>): readonly string[] {
  if (files === 0) return ['there is no file']
  const compared = files - unhashed
  const all = damaged === 0 ? 'no fault' : `${damaged} with faults`
  return [
    ...(compared === 0 ? [] : [`${plural(compared, 'file')} read and compared: ${all}`]),
    ...(unhashed === 0
      ? []
      : [
          `${plural(unhashed, 'file')} not compared: no hash is kept of them. With --dir DIR a copy of them is compared.`,
        ]),
  ]
}
