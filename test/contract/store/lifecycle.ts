import { expect, it } from 'vitest'
import { STORE_LIMITS } from '../../../src/core/store.ts'
import { holdsAnewThenEnds } from './leases.ts'
import {
  commit,
  compacted,
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

const TTL = STORE_LIMITS.leaseMinMs * 2

export function lifecycleTests(open: OpenStore): void {
  it(
    'closing ends waiting watches without an error',
    using(open, async (store) => {
      const signal = new AbortController().signal
      const reader = store.watch(ROOT, { after: await revisionOf(store), signal })[Symbol.asyncIterator]()
      const first = reader.next()
      await commit(store, put('t/a', '1'))
      expect((await first).done).toBe(false)
      const second = reader.next()
      await store.close()
      expect(await second).toEqual({ done: true, value: undefined })
    }),
  )

  it(
    'after closing, every operation rejects with NOT_READY',
    using(open, async (store) => {
      const lease = await store.grantLease(60_000)
      await store.close()
      await rejects(store.get('t/a'), 'NOT_READY')
      await rejects(store.list(ROOT), 'NOT_READY')
      await rejects(store.commit({ changes: [put('t/a', '1')] }), 'NOT_READY')
      await rejects(store.grantLease(5000), 'NOT_READY')
      await rejects(lease.renew(), 'NOT_READY')
      await rejects(lease.revoke(), 'NOT_READY')
      await rejects(watchSome(store, ROOT, 0, 1), 'NOT_READY')
    }),
  )

  it(
    'closing twice, and at once, is closing once',
    using(open, async (store) => {
      await Promise.all([store.close(), store.close()])
      await store.close()
    }),
  )
}

export function restartTests(open: OpenStore): void {
  it(
    'entries, revisions and history are the same after a restart, and the numbering goes on',
    using(open, async (store, under) => {
      const base = await revisionOf(store)
      await commit(store, put('t/a', '1'), put('t/b', 'Grüße \u{1f6a2}\u0000'))
      const lease = await store.grantLease(TTL * 60)
      await commit(store, put('t/a', '2'), del('t/b'), put('t/d', '', lease.id))
      const last = await commit(store, del('t/none'))
      const before = await store.list(ROOT)
      const history = await watchTo(store, ROOT, base, last - 1)
      await store.close()
      const again = await reopened(under)
      expect(await again.list(ROOT)).toEqual(before)
      expect(before.revision).toBe(last)
      expect(await watchTo(again, ROOT, base, last - 1)).toEqual(history)
      expect(await commit(again, put('t/c', '3'))).toBe(last + 1)
      expect(await again.commit({ expect: [{ key: 't/a', revision: last - 1 }], changes: [del('t/a')] })).toEqual({
        committed: true,
        revision: last + 2,
      })
    }),
  )

  it(
    'what is asked while the store closes is refused, or answered and kept',
    using(open, async (store, under) => {
      const base = await revisionOf(store)
      const asked = Array.from({ length: 20 }, (_, index) => store.commit({ changes: [put(`t/${index}`, '')] }))
      const [outcomes] = await Promise.all([Promise.allSettled(asked), store.close()])
      const kept = outcomes.filter(({ status }) => status === 'fulfilled')
      const again = await reopened(under)
      expect((await again.list(ROOT)).entries.length).toBeGreaterThanOrEqual(kept.length)
      expect(await commit(again, put('t/after', ''))).toBeGreaterThan(base + kept.length)
    }),
  )

  it(
    'what was compacted stays compacted after a restart',
    using(
      open,
      async (store, under) => {
        for (let index = 0; index < 20; index++) await commit(store, put('t/a', String(index)))
        const last = await revisionOf(store)
        await compacted(under)
        await store.close()
        const again = await reopened(under)
        await rejects(watchSome(again, ROOT, last - 6, 1), 'COMPACTED')
        expect(await watchTo(again, ROOT, last - 5, last)).toHaveLength(5)
        await rejects(watchSome(again, ROOT, last + 1, 1), 'COMPACTED')
      },
      { keepRevisions: 5 },
    ),
  )

  it(
    'after a restart a lease has its full time again, can be renewed by its id, and then ends',
    using(open, async (store, under) => {
      const lease = await store.grantLease(TTL)
      await commit(store, put('t/a', '1', lease.id), put('t/b', '1', lease.id))
      await pass(under, TTL / 2)
      await lease.renew()
      await store.close()
      const again = await reopened(under)
      await again.lease(lease.id).renew()
      await commit(again, put('t/b', '2'))
      await holdsAnewThenEnds(again, under, 't/a', TTL)
      expect(await again.get('t/b')).toMatchObject({ value: '2' })
      await rejects(again.lease(lease.id).renew(), 'LEASE_ENDED')
    }),
  )

  it(
    'a lease that ended before a restart stays ended',
    using(open, async (store, under) => {
      const lease = await store.grantLease(TTL)
      await commit(store, put('t/a', '1', lease.id))
      await lease.revoke()
      await store.close()
      const again = await reopened(under)
      await rejects(again.lease(lease.id).renew(), 'LEASE_ENDED')
      expect((await again.list(ROOT)).entries).toEqual([])
    }),
  )
}

async function reopened(under: StoreUnderTest) {
  if (under.reopen === undefined) throw new Error('the suite was told that this store restarts')
  return await under.reopen()
}
