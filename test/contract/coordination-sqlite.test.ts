import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqliteStore } from '../../src/store/sqlite/sqlite-store.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'
import { coordinationContract } from './coordination.ts'

coordinationContract('sqlite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'flotilla-coordination-'))
  const clock = new VirtualClock()
  const store = await openSqliteStore({ path: join(folder, 'store.db'), clock })
  return {
    store,
    advance: (ms) => clock.advance(ms),
    close: async () => {
      await store.close()
      await rm(folder, { recursive: true })
    },
  }
})
