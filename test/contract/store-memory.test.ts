import { VirtualClock } from '../helpers/virtual-clock.ts'
import { MemoryStore } from '../../src/store/memory/memory-store.ts'
import type { OpenStore } from './store/under-test.ts'
import { storeLinearizability } from './store-linearizability.ts'
import { storeProperties } from './store-properties.ts'
import { storeContract } from './store.ts'

const open: OpenStore = async (settings) => {
  const clock = new VirtualClock()
  const store = new MemoryStore({ clock, ...settings })
  return { store, advance: (ms) => clock.advance(ms), close: () => store.close() }
}

storeContract('memory', open, { restarts: false })
storeLinearizability('memory', open)
storeProperties('memory', open, { restarts: false })
