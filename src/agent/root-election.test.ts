import { afterEach, expect, test } from 'vitest'
import { storeInstead } from '../../test/helpers/store-instead.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import { silent } from '../core/log.ts'
import type { Lease, Store } from '../core/store.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { RootElection } from './root-election.ts'

const TTL_MS = 10_000
const stops: AbortController[] = []

afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort()
})

function compete(node: string, store: Store, clock: VirtualClock, floor = 0) {
  const terms: (number | 'lost')[] = []
  const election = new RootElection({
    tree: 'music',
    node,
    store,
    clock,
    log: silent,
    url: () => `http://${node}:1`,
    ttlMs: TTL_MS,
    floor: () => floor,
    onLead: (epoch) => void terms.push(epoch),
    onLost: () => void terms.push('lost'),
  })
  const stop = new AbortController()
  stops.push(stop)
  const over = election.run(stop.signal).catch((error: unknown) => error)
  return { election, terms, stop, over }
}

test('one leads, the others know who; when it ends in order the next leads at once, with a greater epoch', async () => {
  const clock = new VirtualClock()
  const store = new MemoryStore({ clock })
  const [a, b] = [compete('a', store, clock), compete('b', store, clock)]
  await clock.advance(60_000)
  const [leader, other] = a.election.term === undefined ? [b, a] : [a, b]
  const epoch = leader.election.term!
  expect(epoch).toBeGreaterThanOrEqual(Math.floor(clock.nowMs() / 1000) - 60)
  expect(leader.terms).toEqual([epoch])
  expect(other.election.term).toBeUndefined()
  expect(other.election.leader).toMatchObject({ epoch, url: expect.stringMatching(/^http:/) })
  leader.stop.abort()
  await leader.over
  expect(leader.election.term).toBeUndefined()
  await clock.advance(3000)
  expect(other.election.term).toBeGreaterThan(epoch)
})

test('an epoch is greater than the last in the store, than all of its own ledger, and than seconds since 1970', async () => {
  const clock = new VirtualClock()
  const store = new MemoryStore({ clock })
  await store.commit({
    changes: [{ op: 'put', key: keys.rootEpoch('music'), value: JSON.stringify({ epoch: 3_000_000_000 }) }],
  })
  const one = compete('a', store, clock)
  await clock.advance(100)
  expect(one.election.term).toBe(3_000_000_001)
  one.stop.abort()
  await one.over
  const two = compete('b', store, clock, 4_000_000_000)
  await clock.advance(100)
  expect(two.election.term).toBe(4_000_000_001)
})

test('who cannot renew its lease leads no more before anybody else can', async () => {
  const clock = new VirtualClock()
  const store = new MemoryStore({ clock })
  const hub = { isAway: false, isSlow: false }
  const lease = (inner: Lease): Lease => ({
    ...inner,
    renew: async () => {
      if (hub.isAway) throw new FlotillaError('UNREACHABLE', 'the hub is away')
      // The question came at once, and the answer late.
      await inner.renew()
      if (hub.isSlow) await clock.sleep(2000)
    },
    revoke: async () => inner.revoke(),
  })
  const seen = storeInstead(store, { grantLease: async (ttlMs) => lease(await store.grantLease(ttlMs)) })
  const held = compete('a', seen, clock)
  await clock.advance(20_000)
  hub.isSlow = true
  await clock.advance(20_000)
  expect(held.election.term).toBeDefined()
  hub.isAway = true
  let ceasedMs = 0
  let goneMs = 0
  for (let ms = 0; ms < 2 * TTL_MS && goneMs === 0; ms += 100) {
    await clock.advance(100)
    if (ceasedMs === 0 && held.election.term === undefined) ceasedMs = ms
    if ((await store.get(keys.root('music'))) === undefined) goneMs = ms
  }
  expect(ceasedMs).toBeGreaterThan(0)
  expect(goneMs - ceasedMs).toBeGreaterThanOrEqual(900)
  expect(held.terms.at(-1)).toBe('lost')
})

test('what somebody else wrote in its place ends its term', async () => {
  const clock = new VirtualClock()
  const store = new MemoryStore({ clock })
  const held = compete('a', store, clock)
  await clock.advance(1000)
  await store.commit({ changes: [{ op: 'put', key: keys.root('music'), value: 'nonsense' }] })
  await clock.advance(5000)
  expect([held.election.term, held.election.leader]).toEqual([undefined, undefined])
})
