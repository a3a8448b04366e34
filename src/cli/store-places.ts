import type { HubConfig } from '../config/hub.ts'
import type { Filled } from '../app/store-copy.ts'
import type { Place } from '../app/store-places.ts'
import type { Contents } from '../lib/store/backup.ts'
import type { Context } from './context.ts'
import { plural } from './format.ts'
import { serviceSources } from './service.ts'

export const ADDRESS = 'etcd://HOST:PORT,…/PREFIX, or the data folder of a hub that keeps its state in a file'

/** Options of commands that open a store without a hub. */
export const PLACE = {
  config: {
    type: 'value',
    placeholder: 'FILE',
    summary: 'configuration of the hub, for its section `etcd`: user, password and certificates',
    completes: 'file',
  },
} as const

export const REPLACE = {
  replace: { type: 'flag', summary: 'delete what is there and is not in what comes' },
} as const

/** Runs `use` with the store at an address, and closes it. */
export async function withPlace<T>(
  address: string,
  config: string | undefined,
  { isTarget }: { readonly isTarget: boolean },
  context: Context,
  use: (place: Place) => Promise<T>,
): Promise<T> {
  const [{ openPlace }, { etcd, base }] = await Promise.all([
    import('../app/store-places.ts'),
    etcdSettings(config, context),
  ])
  const { cwd, clock } = context
  const place = await openPlace({ address, etcd, isTarget, clock, cwd, base })
  try {
    return await use(place)
  } finally {
    await place.close()
  }
}

/** How an etcd is reached, from the configuration of a hub where one is named. */
export async function etcdSettings(
  file: string | undefined,
  context: Context,
): Promise<{ readonly etcd: HubConfig['etcd']; readonly base: string }> {
  if (file === undefined) return { etcd: undefined, base: context.cwd }
  const [{ loadConfig }, { hubSchema }] = await Promise.all([import('../config/load.ts'), import('../config/hub.ts')])
  const { base, ...sources } = await serviceSources(file, {}, context)
  return { etcd: loadConfig(hubSchema, sources).etcd, base }
}

/** Says what was done to a store, and what that means for whoever knew it before. */
export function tellFilled({ output }: Context, { written, deleted, revision }: Filled, { leased }: Contents): void {
  output.print(
    `${plural(written, 'key')} written, ${deleted} deleted, and looked at again; now at revision ${revision}`,
  )
  output.print(
    `${plural(leased, 'key')} with a lease stayed behind: nodes show again when they renew, locks and leaderships are taken anew`,
  )
  output.print(
    'Whoever watches lists once more. Contents (`blobs`) are no part of the store: give the hub the same folder.',
  )
}
