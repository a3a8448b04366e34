import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/lib/system-clock.ts'
import { MemoryStore } from '../../src/store/memory/memory-store.ts'
import { openSqliteStore } from '../../src/store/sqlite/sqlite-store.ts'
import { profilesContract } from './profiles.ts'

profilesContract('memory', async () => {
  const store = new MemoryStore({ clock: systemClock })
  return { store, close: () => store.close() }
})

profilesContract('sqlite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'flotilla-profiles-'))
  const store = await openSqliteStore({ path: join(folder, 'store.db'), clock: systemClock })
  return {
    store,
    close: async () => {
      await store.close()
      await rm(folder, { recursive: true })
    },
  }
})
