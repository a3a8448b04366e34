import { resolve } from 'node:path'
import { clean } from '../../lib/clean.ts'
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
    'Reads every file again and compares it with the hash that the file service keeps of it; with --dir, those of a folder here. ' +
    'Names what is damaged or missing. The exit code is 3 when anything is.',
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
          else if (fault !== 'unhashed') output.print(clean(`${fault}  ${tree}/${key}: ${message}`))
        },
        onProgress: (sofar) => output.progress(`${plural(sofar.files, 'file')} read`),
        signal,
      })
      if (options.json) output.json('files-verify', { tree, prefix, files, bytes, damaged, unhashed })
      else {
        const open = unhashed === 0 ? '' : `; of ${plural(unhashed, 'file')} no hash is known`
        output.print(
          `${plural(files, 'file')} read, ${damaged === 0 ? 'all as they should be' : `${damaged} damaged`}${open}`,
        )
      }
      return damaged === 0 ? 0 : 3
    } finally {
      await source.close()
    }
  },
})
