import { resolve } from 'node:path'
import { writeAtomic } from '../../lib/atomic-file.ts'
import { formatBackup, parseBackup } from '../../lib/store/backup.ts'
import { command } from '../command.ts'
import { CLIENT, withHub } from '../connect.ts'
import { plural } from '../format.ts'
import { ADDRESS, PLACE, withPlace } from '../store-places.ts'

export const storeBackup = command({
  arguments: [{ name: 'FILE', summary: 'is replaced as a whole, and only its owner can read it', completes: 'file' }],
  options: {
    from: { type: 'value', placeholder: 'ADDRESS', summary: `without a hub: ${ADDRESS}` },
    ...PLACE,
    ...CLIENT,
  },
  details:
    'Everything at one revision, asked of the running hub, whatever its store is; the token must be able to do everything. The ' +
    'file holds secrets. Contents (`blobs`) are no part of it: back up their folder after it.',
  examples: ['flotilla store backup state.backup', 'flotilla store backup state.backup --from /var/lib/flotilla'],
  async run({ args: { FILE }, options }, context) {
    const { output, signal, cwd, clock } = context
    const path = resolve(cwd, FILE)
    const bytes =
      options.from === undefined
        ? await withHub(options, context, ({ client }) => client.backup({ signal }))
        : await withPlace(options.from, options.config, { isTarget: false }, context, async ({ store }) => {
            const { readContents } = await import('../../app/store-copy.ts')
            return formatBackup(await readContents(store), clock.nowMs())
          })
    // What came over a network is looked at before it takes the place of the last one.
    const { revision, entries } = parseBackup(bytes, 'what came')
    await writeAtomic(path, bytes, { mode: 0o600 })
    const count = entries.size
    if (options.json) output.json('store-backup', { file: path, revision, keys: count, bytes: bytes.byteLength })
    else output.print(`${FILE}: ${plural(count, 'key')} at revision ${revision}, ${bytes.byteLength} bytes`)
    return 0
  },
})
