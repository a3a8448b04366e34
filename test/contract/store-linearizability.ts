import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/system-clock.ts'
import { FlakyStore, randomFaults } from '../fault/flaky-store.ts'
import { isLinearizable } from '../helpers/linearizable.ts'
import { seeded } from '../helpers/random.ts'
import { record, type Shape } from './store/history.ts'
import { byKey, oneKey, wholeStore } from './store/models.ts'
import { type OpenStore, revisionOf, using } from './store/under-test.ts'

export interface LinearizabilityOptions {
  /** Histories of each kind. */
  readonly runs?: number
}

/** Few keys and clients that often collide: what is checked as a whole. */
export const SMALL: Omit<Shape, 'seed'> = { clients: 5, turns: 12, keys: 3, width: 3, lists: true }
/** Longer, with one key to an operation: what is checked key by key. */
const LONG: Omit<Shape, 'seed'> = { clients: 8, turns: 100, keys: 5, width: 1, lists: false }

/** Checks that histories of clients working at once could have happened one operation at a time. */
export function storeLinearizability(name: string, open: OpenStore, { runs = 10 }: LinearizabilityOptions = {}): void {
  const times = process.env['FLOTILLA_SOAK'] === '1' ? 50 : 1
  const seeds = Array.from({ length: runs * times }, (_, seed) => seed + 1)

  describe(`${name} is linearizable`, () => {
    it.for(seeds)('with transactions over several keys, listings and gets (seed %i)', async (seed) =>
      using(open, async (store) => {
        const base = await revisionOf(store)
        const history = await record(store, { ...SMALL, seed })
        expect(isLinearizable(wholeStore(base), history)).toBe(true)
      })(),
    )

    it.for(seeds)('although answers are lost on the way (seed %i)', async (seed) =>
      using(open, async (store) => {
        const base = await revisionOf(store)
        const flaky = new FlakyStore(store, systemClock, randomFaults(seeded(seed), 0.15))
        const history = await record(flaky, { ...SMALL, seed })
        expect(history.some(({ output }) => output === undefined)).toBe(true)
        expect(isLinearizable(wholeStore(base), history)).toBe(true)
      })(),
    )

    it.for(seeds)('key by key, over a longer time (seed %i)', async (seed) =>
      using(open, async (store) => {
        const parts = byKey(await record(store, { ...LONG, seed }))
        expect(parts).toHaveLength(LONG.keys)
        for (const part of parts) expect(isLinearizable(oneKey, part)).toBe(true)
      })(),
    )
  })
}
