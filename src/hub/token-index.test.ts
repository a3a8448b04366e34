import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { silent } from '../core/log.ts'
import type { Store } from '../core/store.ts'
import { systemClock } from '../lib/system-clock.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { TokenIndex } from './token-index.ts'
import { createToken, parseToken, revokeToken } from './tokens.ts'

it('a token that is revoked between being read and being learned is not learned', async () => {
  const inner = new MemoryStore({ clock: systemClock })
  let afterReading = async (): Promise<void> => {}
  const store: Store = new Proxy<Store>(inner, {
    get: (target, name: keyof Store) => {
      if (name !== 'get') return target[name].bind(target)
      return async (key: string) => {
        const entry = await target.get(key)
        await afterReading()
        return entry
      }
    },
  })
  const stop = new AbortController()
  const index = new TokenIndex({ store, clock: systemClock, log: silent })
  const running = index.run(stop.signal)
  await turn()
  const everything = [
    { verb: 'read', prefix: '' },
    { verb: 'write', prefix: '' },
  ] as const
  // While the index learns nothing by itself, it must ask the store.
  const { token } = await createToken(inner, systemClock, { label: 'x', scopes: ['read:'] }, { scopes: everything })
  index.end(parseToken(token)?.id ?? '')
  afterReading = async () => {
    afterReading = async () => {}
    await revokeToken(inner, parseToken(token)?.id ?? '')
    // Until the watch has told it.
    for (let turns = 0; turns < 10; turns++) await turn()
  }
  expect(await index.find(token)).toBeUndefined()
  expect(await index.find(token)).toBeUndefined()
  stop.abort()
  await running
  await inner.close()
})
