import { MemoryStore } from '../../src/store/memory/memory-store.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'
import { coordinationContract } from './coordination.ts'

coordinationContract('memory', async () => {
  const clock = new VirtualClock()
  const store = new MemoryStore({ clock })
  return { store, advance: (ms) => clock.advance(ms), close: () => store.close() }
})
