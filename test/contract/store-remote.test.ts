import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Store } from '../../src/core/store.ts'
import { MemoryStore } from '../../src/store/memory/memory-store.ts'
import { openSqliteStore } from '../../src/store/sqlite/sqlite-store.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'
import { hubShowing } from './store/hub-showing.ts'
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
    const shown = await hubShowing(() => openInner(folder, { clock, ...settings }))
    return {
      store: shown.store,
      advance: (ms) => clock.advance(ms),
      reopen: async () => {
        await shown.stop()
        return shown.start()
      },
      close: async () => {
        await shown.stop()
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
