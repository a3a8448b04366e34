import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Store } from '../../src/core/store.ts'
import { openSqliteStore } from '../../src/store/sqlite/sqlite-store.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'
import type { OpenStore } from './store/under-test.ts'
import { storeLinearizability } from './store-linearizability.ts'
import { storeProperties } from './store-properties.ts'
import { storeContract } from './store.ts'

/** With a short memory, watches read from the file what they otherwise find in memory. */
function opener(memory: { readonly recentRevisions?: number }): OpenStore {
  return async (settings) => {
    const folder = await mkdtemp(join(tmpdir(), 'flotilla-store-'))
    const clock = new VirtualClock()
    const opened: Store[] = []
    const reopen = async (): Promise<Store> => {
      const store = await openSqliteStore({ path: join(folder, 'store.db'), clock, ...memory, ...settings })
      opened.push(store)
      return store
    }
    return {
      store: await reopen(),
      advance: (ms) => clock.advance(ms),
      reopen,
      close: async () => {
        for (const store of opened) await store.close()
        await rm(folder, { recursive: true })
      },
    }
  }
}

storeContract('sqlite', opener({}), { restarts: true })
storeContract('sqlite with a short memory', opener({ recentRevisions: 1 }), { restarts: true })
storeLinearizability('sqlite', opener({}))
storeProperties('sqlite', opener({}), { restarts: true })
storeProperties('sqlite with a short memory', opener({ recentRevisions: 2 }), { restarts: true })
