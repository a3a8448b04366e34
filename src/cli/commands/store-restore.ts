import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseBackup } from '../../lib/store/backup.ts'
import { command } from '../command.ts'
import { ADDRESS, PLACE, REPLACE, tellFilled, withPlace } from '../store-places.ts'

export const storeRestore = command({
  arguments: [{ name: 'FILE', summary: 'as `flotilla store backup` wrote it', completes: 'file' }],
  options: {
    to: { type: 'value', placeholder: 'ADDRESS', summary: ADDRESS, required: true },
    ...REPLACE,
    ...PLACE,
    json: { type: 'flag', summary: 'print one JSON object' },
  },
  details:
    'No hub may run on it. Revisions go on from the one of the backup, or from where the store is: what was seen of later ones is ' +
    'answered with COMPACTED, and whoever watches lists once more. Broken off, it is run again and goes on.',
  examples: [
    'flotilla store restore state.backup --to /var/lib/flotilla',
    'flotilla store restore state.backup --to etcd://127.0.0.1:2379/flotilla --replace',
  ],
  async run({ args: { FILE }, options: { to, replace, config, json } }, context) {
    const { output, cwd } = context
    const { fill } = await import('../../app/store-copy.ts')
    const contents = parseBackup(await readFile(resolve(cwd, FILE)), FILE)
    const onProgress = (text: string): void => output.progress(text)
    const filled = await withPlace(to, config, { isTarget: true }, context, (target) =>
      fill(target, contents, { replace, onProgress }),
    )
    if (json) output.json('store-restored', { ...filled, keys: contents.entries.size, takenAtMs: contents.takenAtMs })
    else {
      output.print(`${FILE} of ${new Date(contents.takenAtMs).toISOString()}`)
      tellFilled(context, filled, contents)
    }
    return 0
  },
})
