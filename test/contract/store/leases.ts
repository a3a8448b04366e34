import { expect, it } from 'vitest'
import { type Store, STORE_LIMITS } from '../../../src/core/store.ts'
import {
  commit,
  del,
  type OpenStore,
  pass,
  put,
  rejects,
  revisionOf,
  ROOT,
  type StoreUnderTest,
  using,
  watchSome,
  watchTo,
} from './under-test.ts'

const TTL = STORE_LIMITS.leaseMinMs

export function leaseTests(open: OpenStore): void {
  it(
    'the keys of a lease vanish as one commit once it is not renewed, and no others',
    using(open, async (store, under) => {
      const lease = await store.grantLease(TTL)
      await commit(store, put('t/a', '1', lease.id), put('t/b', '1', lease.id), put('t/c', '1'))
      const last = await commit(store, put('t/d', '1', lease.id))
      expect(await store.get('t/a')).toEqual({ key: 't/a', value: '1', revision: last - 1, leaseId: lease.id })
      await pass(under, TTL)
      const [batch] = await watchSome(store, ROOT, last, 1)
      expect(batch?.revision).toBe(last + 1)
      expect(batch?.changes.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))).toEqual([
        { op: 'delete', key: 't/a' },
        { op: 'delete', key: 't/b' },
        { op: 'delete', key: 't/d' },
      ])
      const listing = await store.list(ROOT)
      expect(listing.entries.map(({ key }) => key)).toEqual(['t/c'])
      expect(listing.revision).toBe(last + 1)
    }),
  )

  it(
    'no key vanishes before the time of its lease is over, and renewing starts the time anew',
    using(open, async (store, under) => {
      const lease = await store.grantLease(TTL * 2)
      await commit(store, put('t/a', '1', lease.id))
      for (let round = 0; round < 3; round++) {
        const since = performance.now()
        await lease.renew()
        await pass(under, TTL * 1.5)
        const entry = await store.get('t/a')
        // Where time is real, a stalled machine may have slept through the whole lease.
        if (under.advance !== undefined || performance.now() - since < TTL * 2) expect(entry?.value).toBe('1')
        else return
      }
      if (under.advance === undefined) return
      await lease.renew()
      await under.advance(TTL * 2 - 1)
      expect(await store.get('t/a')).toBeDefined()
      await under.advance(1)
      expect(await store.get('t/a')).toBeUndefined()
    }),
  )

  it(
    'an ended lease cannot be renewed or used, and revoking it again is no error',
    using(open, async (store, under) => {
      const revoked = await store.grantLease(TTL)
      await commit(store, put('t/a', '1', revoked.id))
      await revoked.revoke()
      expect(await store.get('t/a')).toBeUndefined()
      const expired = await store.grantLease(TTL)
      const last = await commit(store, put('t/b', '1', expired.id))
      await pass(under, TTL)
      await watchSome(store, 't/b', last, 1)
      const base = await revisionOf(store)
      for (const lease of [revoked, expired, store.lease('unknown')]) {
        await rejects(lease.renew(), 'LEASE_ENDED')
        await rejects(store.commit({ changes: [put('t/fine', ''), put('t/a', '2', lease.id)] }), 'LEASE_ENDED')
        await lease.revoke()
      }
      expect(await store.list(ROOT)).toEqual({ entries: [], revision: base })
    }),
  )

  it(
    'a renewal at the last moment either keeps the keys or is answered with LEASE_ENDED',
    using(open, async (store, under) => {
      const leases = await Promise.all(Array.from({ length: 20 }, () => store.grantLease(TTL)))
      await Promise.all(leases.map((lease, index) => commit(store, put(`t/${index}`, '', lease.id))))
      const renewals = leases.map(async (lease, index) => {
        if (index % 2 === 0) await pass(under, under.advance === undefined ? TTL - 10 + index : 0)
        const renewed = await lease.renew().then(
          () => true,
          (error: unknown) => {
            expect(error).toMatchObject({ code: 'LEASE_ENDED' })
            return false
          },
        )
        if (under.advance === undefined && !renewed) expect(await store.get(`t/${index}`)).toBeUndefined()
        return renewed
      })
      const [, renewed] = await Promise.all([pass(under, TTL), Promise.all(renewals)])
      for (const [index, held] of renewed.entries()) {
        if (!held) expect(await store.get(`t/${index}`)).toBeUndefined()
      }
    }),
  )

  keyTests(open)
  handleTests(open)
}

function keyTests(open: OpenStore): void {
  it(
    'a key put again without a lease, or with another, leaves its lease',
    using(open, async (store) => {
      const [first, second] = [await store.grantLease(TTL * 60), await store.grantLease(TTL * 60)]
      await commit(store, put('t/a', '1', first.id), put('t/b', '1', first.id), put('t/c', '1', first.id))
      await commit(store, put('t/a', '2'), put('t/b', '2', second.id))
      expect(await store.get('t/a')).not.toHaveProperty('leaseId')
      expect(await store.get('t/b')).toMatchObject({ leaseId: second.id })
      await first.revoke()
      expect((await store.list(ROOT)).entries.map(({ key }) => key)).toEqual(['t/a', 't/b'])
      await second.revoke()
      expect((await store.list(ROOT)).entries.map(({ key }) => key)).toEqual(['t/a'])
    }),
  )

  it(
    'a key that was deleted, then made anew by somebody else, is no longer of the lease',
    using(open, async (store) => {
      const lease = await store.grantLease(TTL * 60)
      await commit(store, put('t/a', '1', lease.id), put('t/b', '1', lease.id))
      await commit(store, del('t/a'))
      await commit(store, put('t/a', '2'))
      const last = await commit(store, del('t/b'))
      await lease.revoke()
      expect(await store.list(ROOT)).toMatchObject({ entries: [{ key: 't/a', value: '2' }], revision: last })
    }),
  )

  it(
    'a lease without keys ends without a commit',
    using(open, async (store, under) => {
      const base = await revisionOf(store)
      const expiring = await store.grantLease(TTL)
      const revoked = await store.grantLease(TTL)
      await revoked.revoke()
      await pass(under, TTL * 1.5 + (under.lateMs ?? 0))
      await rejects(expiring.renew(), 'LEASE_ENDED')
      expect(await revisionOf(store)).toBe(base)
    }),
  )

  it(
    'the lease of an entry is seen by get, list and watch',
    using(open, async (store) => {
      const lease = await store.grantLease(TTL * 60)
      const revision = await commit(store, put('t/a', '1', lease.id))
      const entry = { key: 't/a', value: '1', revision, leaseId: lease.id }
      expect(await store.get('t/a')).toEqual(entry)
      expect((await store.list(ROOT)).entries).toEqual([entry])
      expect(await watchTo(store, ROOT, revision - 1, revision)).toEqual([
        { revision, changes: [{ op: 'put', entry }] },
      ])
    }),
  )
}

function handleTests(open: OpenStore): void {
  it(
    'a lease found again by its id is the same lease',
    using(open, async (store, under) => {
      const { id } = await store.grantLease(TTL * 2)
      await commit(store, put('t/a', '1', id))
      expect(store.lease(id).id).toBe(id)
      if (under.advance !== undefined) {
        await under.advance(TTL * 1.5)
        await store.lease(id).renew()
        await under.advance(TTL * 1.5)
        expect(await store.get('t/a')).toBeDefined()
      }
      await store.lease(id).renew()
      await store.lease(id).revoke()
      expect(await store.get('t/a')).toBeUndefined()
      await rejects(store.lease(id).renew(), 'LEASE_ENDED')
    }),
  )

  it(
    'ids of leases cannot be guessed from each other',
    using(open, async (store) => {
      const ids = await grantMany(store, 50)
      expect(new Set(ids).size).toBe(50)
      for (const id of ids) expect(id.length).toBeGreaterThanOrEqual(16)
      // Counted or timed ids share a long beginning.
      expect(new Set(ids.map((id) => id.slice(0, 8))).size).toBeGreaterThan(45)
    }),
  )

  it(
    'a lease shorter or longer than the limits is refused with BAD_REQUEST',
    using(open, async (store) => {
      const { leaseMinMs, leaseMaxMs } = STORE_LIMITS
      for (const ttlMs of [0, -1, leaseMinMs - 1, leaseMaxMs + 1, Number.NaN, Number.POSITIVE_INFINITY]) {
        await rejects(store.grantLease(ttlMs), 'BAD_REQUEST')
      }
      await (await store.grantLease(leaseMaxMs)).revoke()
    }),
  )
}

async function grantMany(store: Store, count: number): Promise<readonly string[]> {
  const leases = await Promise.all(Array.from({ length: count }, () => store.grantLease(TTL * 60)))
  return leases.map(({ id }) => id)
}

/** For the restart tests: the lease holds again for its full time, then ends. */
export async function holdsAnewThenEnds(
  store: Store,
  under: StoreUnderTest,
  key: string,
  ttlMs: number,
): Promise<void> {
  const since = performance.now()
  await pass(under, ttlMs * 0.75)
  const entry = await store.get(key)
  if (under.advance !== undefined || performance.now() - since < ttlMs) expect(entry).toBeDefined()
  const { revision } = await store.list(key)
  if (entry === undefined) return
  await pass(under, ttlMs * 0.25)
  await watchSome(store, key, revision, 1)
  expect(await store.get(key)).toBeUndefined()
}
