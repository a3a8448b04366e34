import { expect, onTestFinished, test } from 'vitest'
import { storeInstead } from '../../test/helpers/store-instead.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { FlotillaError } from '../core/errors.ts'
import { silent } from '../core/log.ts'
import type { Lease, Store } from '../core/store.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { Presence } from './presence.ts'

const TTL_MS = 15_000
const KEY = 'node/erd1/alive'

interface Held {
  readonly presence: Presence
  readonly claims: number[]
  readonly duplicates: FlotillaError[]
  readonly stop: AbortController
  readonly ended: Promise<unknown>
}

class Setup {
  readonly clock = new VirtualClock()
  readonly store = new MemoryStore({ clock: this.clock })

  start(instance: string, store: Store = this.store): Held {
    const stop = new AbortController()
    onTestFinished(() => stop.abort())
    const claims: number[] = []
    const duplicates: FlotillaError[] = []
    const presence = new Presence({
      store,
      clock: this.clock,
      log: silent,
      alive: {
        node: 'erd1',
        version: '1.2.3',
        startedAtMs: 7,
        values: ['data'],
        instance,
        peerUrl: 'http://erd1:7401',
      },
      ttlMs: TTL_MS,
      onClaimed: () => void claims.push(this.clock.monotonicMs()),
      onDuplicate: (error) => void duplicates.push(error),
    })
    const ended = presence.run(stop.signal).catch((error: unknown) => error)
    return { presence, claims, duplicates, stop, ended }
  }

  async instance(): Promise<string | undefined> {
    const entry = await this.store.get(KEY)
    return entry && (JSON.parse(entry.value) as { instance: string }).instance
  }
}

/** As kill -9 would: nothing is renewed and nothing is said from then on. */
function kill(held: Held, hub: { dead: boolean }): void {
  hub.dead = true
  held.stop.abort()
}

/** A store that can be taken away from one client. */
function mortal(store: Store, hub: { dead: boolean }): Store {
  const guard = async <T>(work: () => Promise<T>): Promise<T> => {
    if (hub.dead) throw new FlotillaError('UNREACHABLE', 'cut off')
    return await work()
  }
  const lease = (id: string): Lease => ({
    id,
    renew: async () => await guard(async () => await store.lease(id).renew()),
    revoke: async () => await guard(async () => await store.lease(id).revoke()),
  })
  return storeInstead(store, {
    get: async (key) => await guard(async () => await store.get(key)),
    commit: async (txn) => await guard(async () => await store.commit(txn)),
    grantLease: async (ttlMs) => await guard(async () => lease((await store.grantLease(ttlMs)).id)),
    lease,
  })
}

test('a node is alive under a lease as long as its agent runs, and no longer', async () => {
  const at = new Setup()
  const held = at.start('i1')
  await at.clock.advance(120_000)
  const entry = await at.store.get(KEY)
  expect(JSON.parse(entry?.value ?? '')).toEqual({
    node: 'erd1',
    version: '1.2.3',
    startedAtMs: 7,
    values: ['data'],
    instance: 'i1',
    peerUrl: 'http://erd1:7401',
  })
  expect(entry?.revision).toBe(1)
  expect(held.presence.fence()).toEqual({ key: KEY, revision: 1 })
  expect(held.claims).toEqual([0])
  held.stop.abort()
  await held.ended
  expect(await at.store.get(KEY)).toBeUndefined()
  expect(held.presence.fence()).toBeUndefined()
})

test('an agent that was killed knows its own old lease, and takes over at once', async () => {
  const at = new Setup()
  const hub = { dead: false }
  const before = at.start('i1', mortal(at.store, hub))
  await at.clock.advance(1000)
  kill(before, hub)
  const after = at.start('i1')
  await at.clock.advance(10)
  expect(after.claims).toEqual([1000])
  await at.clock.advance(60_000)
  expect(await at.instance()).toBe('i1')
  expect(after.duplicates).toEqual([])
})

test('a machine that is gone is replaced when its lease has ended, not before', async () => {
  const at = new Setup()
  const hub = { dead: false }
  const before = at.start('i1', mortal(at.store, hub))
  await at.clock.advance(1000)
  kill(before, hub)
  const after = at.start('i2')
  await at.clock.advance(13_000)
  expect(after.claims).toEqual([])
  expect(after.presence.fence()).toBeUndefined()
  await at.clock.advance(3000)
  expect(after.claims).toHaveLength(1)
  expect(await at.instance()).toBe('i2')
})

test('beside another agent that lives, the second gives up with what to do, and the first notices nothing', async () => {
  const at = new Setup()
  const first = at.start('i1')
  await at.clock.advance(1000)
  const second = at.start('i2')
  await at.clock.advance(30_000)
  await second.ended
  expect(second.claims).toEqual([])
  expect(second.duplicates).toMatchObject([{ code: 'LOST_RACE', details: { node: 'erd1' } }])
  expect(second.duplicates[0]?.details.hint).toContain('Stop one of the two')
  expect(await at.instance()).toBe('i1')
  expect(first.presence.fence()).toEqual({ key: KEY, revision: 1 })
})

test('of two that start in the same moment, one holds the name', async () => {
  const at = new Setup()
  const both = [at.start('i1'), at.start('i2')]
  await at.clock.advance(30_000)
  expect(both.filter(({ claims }) => claims.length === 1)).toHaveLength(1)
  expect(both.filter(({ duplicates }) => duplicates.length === 1)).toHaveLength(1)
})

test('a copy of the machine takes over, and the original gives up', async () => {
  const at = new Setup()
  const original = at.start('i1')
  await at.clock.advance(1000)
  const copy = at.start('i1')
  await at.clock.advance(6000)
  await original.ended
  expect(original.duplicates).toMatchObject([{ code: 'LOST_RACE' }])
  expect(copy.claims).toHaveLength(1)
  expect(copy.duplicates).toEqual([])
})

test('a lease that ended while the hub could not be reached is replaced, and told', async () => {
  const at = new Setup()
  const hub = { dead: false }
  const store = mortal(at.store, hub)
  const first = at.start('i1', store)
  await at.clock.advance(1000)
  hub.dead = true
  await at.clock.advance(20_000)
  expect(await first.ended).toMatchObject({ code: 'UNREACHABLE' })
  expect(await at.store.get(KEY)).toBeUndefined()
  hub.dead = false
  // As a supervisor does.
  void first.presence.run(first.stop.signal)
  await at.clock.advance(10_000)
  expect(first.claims).toHaveLength(2)
  expect(await at.instance()).toBe('i1')
})

test('a hub that is away for less than the lease costs nothing', async () => {
  const at = new Setup()
  const hub = { dead: false }
  const held = at.start('i1', mortal(at.store, hub))
  await at.clock.advance(4000)
  hub.dead = true
  await at.clock.advance(2000)
  await held.ended
  hub.dead = false
  void held.presence.run(held.stop.signal)
  await at.clock.advance(60_000)
  expect(held.claims).toEqual([0])
  expect((await at.store.get(KEY))?.revision).toBe(1)
})

test('an alive key that somebody removed is written again', async () => {
  const at = new Setup()
  const held = at.start('i1')
  await at.clock.advance(1000)
  await at.store.commit({ changes: [{ op: 'delete', key: KEY }] })
  await at.clock.advance(6000)
  expect(await at.instance()).toBe('i1')
  expect(held.claims).toHaveLength(2)
})

test('with a doubt it is silent until the name is claimed again', async () => {
  const at = new Setup()
  const held = at.start('i1')
  await at.clock.advance(1000)
  held.presence.doubt()
  expect(held.presence.fence()).toBeUndefined()
  await at.clock.advance(0)
  expect(held.presence.fence()).toMatchObject({ key: KEY })
  expect(held.claims).toEqual([0, 1000])
})

test('a goodbye that nobody takes is given up after two seconds', async () => {
  const at = new Setup()
  const store = storeInstead(at.store, {
    grantLease: async (ttlMs) => ({
      ...at.store.lease((await at.store.grantLease(ttlMs)).id),
      revoke: async (op) => {
        await new Promise((_, reject) =>
          op?.signal?.addEventListener('abort', () => reject(op.signal?.reason as Error)),
        )
      },
    }),
  })
  const held = at.start('i1', store)
  await at.clock.advance(10)
  held.stop.abort()
  let ended = false
  void held.ended.then(() => (ended = true))
  await at.clock.advance(1999)
  expect(ended).toBe(false)
  await at.clock.advance(1)
  expect(ended).toBe(true)
})
