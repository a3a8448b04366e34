import { command } from '../command.ts'
import { ADDRESS, PLACE, REPLACE, tellFilled, withPlace } from '../store-places.ts'

export const storeCopy = command({
  arguments: [],
  options: {
    from: { type: 'value', placeholder: 'ADDRESS', summary: ADDRESS, required: true },
    to: {
      type: 'value',
      placeholder: 'ADDRESS',
      summary: 'the same; it is made where it is not there',
      required: true,
    },
    ...REPLACE,
    ...PLACE,
    json: { type: 'flag', summary: 'print one JSON object' },
  },
  details:
    'No hub may run on either. Leases are not carried, nor is what hangs on them. Both are listed and compared in the end. Broken ' +
    'off, it is run again and goes on; until it is through, no hub starts on the target.',
  examples: [
    'flotilla store copy --from /var/lib/flotilla --to etcd://10.0.0.1:2379,10.0.0.2:2379/flotilla',
    'flotilla store copy --from etcd://127.0.0.1:2379 --to /var/lib/flotilla --replace',
  ],
  async run({ options: { from, to, replace, config, json } }, context) {
    const { output } = context
    const { assertHolds, fill, readContents } = await import('../../app/store-copy.ts')
    const onProgress = (text: string): void => output.progress(text)
    await withPlace(from, config, { isTarget: false }, context, async (source) => {
      const contents = await readContents(source.store)
      await withPlace(to, config, { isTarget: true }, context, async (target) => {
        const filled = await fill(target, contents, { replace, onProgress })
        await assertHolds(source.store, contents.entries)
        const { leased, entries } = contents
        if (json) output.json('store-copied', { ...filled, keys: entries.size, leasedLeftBehind: leased })
        else {
          tellFilled(context, filled, contents)
          output.print(
            `Start hubs with \`store: ${to.includes('://') ? to : 'sqlite'}\` from now on, and none on ${from} any more.`,
          )
        }
      })
    })
    return 0
  },
})
