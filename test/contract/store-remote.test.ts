import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Store } from '../../src/core/store.ts'
import type { Secret } from '../../src/lib/secret.ts'
import { MemoryStore } from '../../src/store/memory/memory-store.ts'
import { openRemoteStore } from '../../src/store/remote/remote-store.ts'
import { openSqliteStore } from '../../src/store/sqlite/sqlite-store.ts'
import { openTestHub } from '../helpers/hub.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'
import type { OpenStore } from './store/under-test.ts'
import { storeLinearizability } from './store-linearizability.ts'
import { storeProperties } from './store-properties.ts'
import { storeContract } from './store.ts'

type OpenInner = (
  folder: string,
  options: { readonly clock: VirtualClock; readonly keepRevisions?: number },
) => Promise<Store>

/** A hub on the store, and the store as its API shows it; a restart is a new hub with a new port on the same data. */
function opener(openInner: OpenInner): OpenStore {
  return async (settings) => {
    const folder = await mkdtemp(join(tmpdir(), 'flotilla-remote-'))
    const clock = new VirtualClock()
    let admin: Secret | undefined
    const opened: { close(): Promise<void> }[] = []
    const start = async (): Promise<Store> => {
      const inner = await openInner(folder, { clock, ...settings })
      const hub = await openTestHub({ store: inner, admin })
      admin = hub.admin
      const remote = openRemoteStore({ url: hub.url, token: hub.admin })
      opened.push(remote, hub, inner)
      return remote
    }
    const stop = async (): Promise<void> => {
      for (const part of opened.splice(0)) await part.close()
    }
    return {
      store: await start(),
      advance: (ms) => clock.advance(ms),
      reopen: async () => {
        await stop()
        return start()
      },
      close: async () => {
        await stop()
        await rm(folder, { recursive: true })
      },
    }
  }
}

const overMemory = opener(async (_folder, options) => new MemoryStore(options))
const overSqlite = opener((folder, options) => openSqliteStore({ path: join(folder, 'store.db'), ...options }))

storeContract('remote store over memory', overMemory, { restarts: false })
storeContract('remote store over SQLite', overSqlite, { restarts: true })
storeProperties('remote store over SQLite', overSqlite, { restarts: true, runs: 15 })
storeLinearizability('remote store over memory', overMemory, { runs: 4 })
storeLinearizability('remote store over SQLite', overSqlite, { runs: 4 })
