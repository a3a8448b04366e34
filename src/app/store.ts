import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { HubConfig } from '../config/hub.ts'
import { absolute } from '../config/paths.ts'
import { isSharedStore } from '../config/store.ts'
import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Logger } from '../core/log.ts'
import type { Store } from '../core/store.ts'
import { writeAtomic } from '../lib/atomic-file.ts'
import { sha256 } from '../lib/hash.ts'
import { readSecretFile } from '../lib/secret-file.ts'
import { type SharedStore, stores } from '../store/registry.ts'
import { openSqliteStore } from '../store/sqlite/sqlite-store.ts'
import { readCertificates } from './certificates.ts'
import { ownFolder } from './data-folder.ts'

interface StoreDeps {
  readonly clock: Clock
  readonly log: Logger
  /** The folder that relative paths of the configuration start from. */
  readonly base: string
  /** The hub's own folder; made when it is missing. */
  readonly data: string
}

export const STORE_FILE = 'store.db'
/** By which the folder of a hub is known that has no store in it. */
export const ELSEWHERE_FILE = 'store.address'

/** Is in a store for as long as it is being filled. */
export const UNFINISHED = keys.secret('unfinished-copy')

/** The store of a hub's configuration. Rejects as its engine does, and when a secret cannot be read. */
export async function openStore(config: HubConfig, { clock, log, base, data }: StoreDeps): Promise<Store> {
  const path = join(data, STORE_FILE)
  if (!isSharedStore(config.store)) {
    await ownFolder(data, STORE_FILE)
    return await whole(await openSqliteStore({ path, clock }))
  }
  await ownFolder(data, existsSync(path) ? STORE_FILE : ELSEWHERE_FILE)
  await writeAtomic(join(data, ELSEWHERE_FILE), `${config.store}\n`)
  return await whole(await openShared(config.store, config.etcd, { clock, log, base }))
}

/** A store that several hubs can share, by its address. */
export async function openShared(
  address: string,
  etcd: HubConfig['etcd'],
  { clock, log, base, ...more }: Omit<StoreDeps, 'data'> & { readonly keepRevisions?: number },
): Promise<SharedStore> {
  const { user, passwordFile, caFile, certFile, keyFile, keepRevisions } = etcd ?? stores.etcd.schema.parse({})
  if ((user === undefined) !== (passwordFile === undefined)) {
    throw new FlotillaError('CONFIG_INVALID', '`etcd.user` and `etcd.passwordFile` go together', {
      hint: 'Set both, or neither where etcd asks nobody who calls.',
    })
  }
  const certificates = async (file: string | undefined) => file && (await readCertificates(absolute(base, file)))
  return await stores.etcd.open({
    url: address,
    clock,
    log,
    keepRevisions,
    ...more,
    tls: {
      ca: await certificates(caFile),
      cert: await certificates(certFile),
      key: keyFile && (await readFile(absolute(base, keyFile), 'utf8')),
    },
    ...(user !== undefined &&
      passwordFile !== undefined && {
        user: { name: user, password: await readSecretFile(absolute(base, passwordFile)) },
      }),
  })
}

/** Closes a store that was not filled to the end, and rejects. */
async function whole(store: Store): Promise<Store> {
  if ((await store.get(UNFINISHED)) === undefined) return store
  await store.close()
  throw new FlotillaError('NOT_READY', 'the store is half filled: a copy into it, or a restore, was not finished', {
    hint: 'Run the same `flotilla store copy` or `flotilla store restore` again; it goes on where it was.',
  })
}

/** Tells hubs that share a store apart, and each from itself after a restart not; undefined where there is one only. */
export function hubNameIn(config: HubConfig, data: string): string | undefined {
  return isSharedStore(config.store) ? sha256(`${hostname()} ${data}`).slice(0, 16) : undefined
}
