import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { HubConfig } from '../config/hub.ts'
import { isSharedStore } from '../config/store.ts'
import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { silent } from '../core/log.ts'
import type { Store } from '../core/store.ts'
import { raiseRevision } from '../store/sqlite/raise-revision.ts'
import { openSqliteStore } from '../store/sqlite/sqlite-store.ts'
import { ownFolder } from './data-folder.ts'
import { ELSEWHERE_FILE, openShared, STORE_FILE } from './store.ts'

/** A store that a command works on, without a hub. */
export interface Place {
  readonly store: Store
  /** Has it count on from that revision at least. `store` is another one afterwards. */
  raise(revision: number, onProgress: (at: number) => void): Promise<void>
  /** Lets go of everything but the newest revision, so that whoever watches lists anew. */
  forget(): Promise<void>
  close(): Promise<void>
}

export interface PlaceOptions {
  /** `etcd://…`, the data folder of a hub, or its `store.db`. */
  readonly address: string
  readonly etcd?: HubConfig['etcd']
  /** Whether it may be made. */
  readonly isTarget?: boolean
  readonly clock: Clock
  /** Where relative paths of the address start, and those in `etcd`. */
  readonly cwd: string
  readonly base: string
}

/** How many empty commits are under way at once. */
const TOGETHER = 128

/** Rejects with `STORE_IN_USE` when a hub works on it. */
export async function openPlace(options: PlaceOptions): Promise<Place> {
  return isSharedStore(options.address) ? await openSharedPlace(options) : await openFilePlace(options)
}

async function openSharedPlace({ address, etcd, clock, base }: PlaceOptions): Promise<Place> {
  const store = await openShared(address, etcd, { clock, log: silent, base, keepRevisions: 0 })
  try {
    const { entries } = await store.list('service/')
    const held = entries.find(({ leaseId }) => leaseId !== undefined)
    if (held !== undefined) {
      const { holder = held.key } = JSON.parse(held.value) as { readonly holder?: string }
      throw new FlotillaError('STORE_IN_USE', `a hub works on ${address}: ${holder}`, {
        hint: 'Stop every hub on it. One that was killed is known to be gone after ten seconds.',
      })
    }
  } catch (error) {
    await store.close()
    throw error
  }
  return {
    store,
    raise: async (revision, onProgress) => {
      // Nothing else can move the revision of an etcd.
      for (let at = (await store.list('secret/')).revision; at < revision;) {
        const count = Math.min(TOGETHER, revision - at)
        const answers = await Promise.all(Array.from({ length: count }, () => store.commit({ changes: [] })))
        at = Math.max(...answers.map((answer) => (answer.committed ? answer.revision : at)))
        onProgress(at)
      }
    },
    forget: () => store.compact(),
    close: () => store.close(),
  }
}

async function openFilePlace({ address, isTarget = false, clock, cwd }: PlaceOptions): Promise<Place> {
  const named = resolve(cwd, address)
  const path = named.endsWith('.db') ? named : join(named, STORE_FILE)
  if (!existsSync(path)) {
    if (!isTarget) {
      throw new FlotillaError('NOT_FOUND', `there is no store at ${path}`, {
        hint: 'Name the data folder of a hub, or etcd://HOST:PORT/PREFIX.',
      })
    }
    const folder = dirname(path)
    await ownFolder(folder, existsSync(join(folder, ELSEWHERE_FILE)) ? ELSEWHERE_FILE : STORE_FILE)
  }
  const open = (): Promise<Store> => openSqliteStore({ path, clock, ...(isTarget && { keepRevisions: 1 }) })
  let store = await open()
  return {
    get store() {
      return store
    },
    raise: async (revision) => {
      await store.close()
      raiseRevision(path, revision)
      store = await open()
    },
    // It held no more to begin with.
    forget: () => Promise.resolve(),
    close: () => store.close(),
  }
}
