import { expect, it } from 'vitest'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { silent } from '../core/log.ts'
import type { Listing, Store } from '../core/store.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { Barriers } from './barriers.ts'
import { Board } from './board.ts'

it('who comes while another comes first, at another hub, is not told that the barrier is for others', async () => {
  const clock = new VirtualClock()
  const inner = new MemoryStore({ clock })
  const over = (store: Store): Barriers =>
    new Barriers({ store, clock, board: new Board({ store, clock, log: silent }) })
  const arrival = (who: string) =>
    ({ name: 'gate', who, parties: 3, by: 't', label: 't', session: who, lease: { ttlMs: 5000 } }) as const
  const { signal } = new AbortController()
  let isFirst = true
  // Between the two readings of the one, the other has come.
  const list = async (prefix: string): Promise<Listing> => {
    if (isFirst) {
      isFirst = false
      await over(inner).arrive(arrival('other'), signal)
    }
    return inner.list(prefix)
  }
  const late = Object.assign(Object.create(inner) as Store, {
    list,
    get: (key: string) => inner.get(key),
    commit: inner.commit.bind(inner),
    grantLease: inner.grantLease.bind(inner),
  })
  await over(late).arrive(arrival('one'), signal)
  const { signal: never } = new AbortController()
  expect(await over(inner).state('gate', 1, { ms: 0, signal: never })).toMatchObject({
    parties: 3,
    arrived: ['other', 'one'],
  })
})

it('nobody seems to have left to a hub that has not heard of them yet', async () => {
  const clock = new VirtualClock()
  const store = new MemoryStore({ clock })
  const barriers = new Barriers({ store, clock, board: new Board({ store, clock, log: silent }) })
  const { signal } = new AbortController()
  await barriers.arrive(
    { name: 'gate', who: 'one', parties: 2, by: 't', label: 't', session: 's', lease: { ttlMs: 60_000 } },
    signal,
  )
  const states = Promise.all([
    barriers.state('gate', 1, { ms: 10_000, signal }, 'one'),
    barriers.inside('gate', 1, { ms: 10_000, signal }),
  ])
  await clock.advance(11_000)
  expect(await states).toEqual([{ generation: 1, parties: 2, passed: false, arrived: ['one'] }, ['one']])
})
