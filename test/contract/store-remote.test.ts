import { openTestHub } from '../helpers/hub.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { MemoryStore } from '../../src/store/memory/memory-store.ts'
import { openRemoteStore } from '../../src/store/remote/remote-store.ts'
import { storeContract } from './store.ts'
import type { StoreSettings, StoreUnderTest } from './store/under-test.ts'

storeContract('remote store, hub on memory', openOnMemory, { restarts: false })

async function openOnMemory(settings?: StoreSettings): Promise<StoreUnderTest> {
  const inner = new MemoryStore({ clock: systemClock, ...settings })
  const hub = await openTestHub({ store: inner })
  const store = openRemoteStore({ url: hub.url, token: hub.admin })
  return {
    store,
    close: async () => {
      await store.close()
      await hub.close()
      await inner.close()
    },
  }
}
