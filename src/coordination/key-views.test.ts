import { expect, it } from 'vitest'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import type { Entry, Store } from '../core/store.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { KeyViews } from './key-views.ts'

it('a value whose reading is begun anew in the middle is shown only when it was read', async () => {
  const inner = new MemoryStore({ clock: new VirtualClock() })
  await inner.commit({ changes: [{ op: 'put', key: 'profile/p', value: '1' }] })
  const held: (() => void)[] = []
  const get = async (key: string): Promise<Entry | undefined> => {
    await new Promise<void>((resolve) => void held.push(resolve))
    return inner.get(key)
  }
  const store = Object.assign(Object.create(inner) as Store, { get, list: (prefix: string) => inner.list(prefix) })
  const views = new KeyViews(store)
  const view = views.open('profile/p')
  let seen: string | undefined
  const loaded = view.loaded.then(() => (seen = view.entry?.value ?? 'nothing'))
  await expect.poll(() => held.length).toBe(1)
  const again = views.reload()
  await expect.poll(() => held.length).toBe(2)
  held[0]?.()
  await new Promise(setImmediate)
  expect(seen).toBeUndefined()
  held[1]?.()
  await Promise.all([loaded, again])
  expect(seen).toBe('1')
})
