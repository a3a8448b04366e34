import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { put as putting, rejects, watchSome, watchTo } from '../../../test/contract/store/under-test.ts'
import { VirtualClock } from '../../../test/helpers/virtual-clock.ts'
import { type Store, STORE_LIMITS } from '../../core/store.ts'
import { MemoryStore, type MemoryStoreOptions } from './memory-store.ts'

const clock = new VirtualClock()
const opened = (options: Partial<MemoryStoreOptions> = {}): Store => new MemoryStore({ clock, ...options })
const put = (key: string, value = '') => ({ changes: [putting(key, value)] })

describe('what is asked in one turn', () => {
  it('is written in the order it was asked, and a lost race skips only itself', async () => {
    const store = opened()
    const answers = await Promise.all([
      store.commit(put('a')),
      store.commit({ expect: [{ key: 'a', revision: 1 }], ...put('a') }),
      store.commit({ expect: [{ key: 'a', revision: 1 }], ...put('b') }),
      store.commit({ expect: [{ key: 'b', revision: 0 }], ...put('c') }),
    ])
    expect(answers).toEqual([
      { committed: true, revision: 1 },
      { committed: true, revision: 2 },
      { committed: false, key: 'a', actual: 2 },
      { committed: true, revision: 3 },
    ])
  })

  it('leaves out what was aborted meanwhile', async () => {
    const store = opened()
    const stop = new AbortController()
    const reason = new Error('no longer wanted')
    const aborted = store.commit(put('a'), { signal: stop.signal })
    const kept = store.commit(put('b'))
    stop.abort(reason)
    await expect(aborted).rejects.toBe(reason)
    expect(await kept).toEqual({ committed: true, revision: 1 })
    expect((await store.list('')).entries.map(({ key }) => key)).toEqual(['b'])
  })

  it('is not seen before it is written, and seen by every read after its answer', async () => {
    const store = opened()
    const commit = store.commit(put('a'))
    expect(await store.get('a')).toBeUndefined()
    await commit
    expect(await store.get('a')).toBeDefined()
  })

  it('refuses what is more than can wait, and takes more afterwards', async () => {
    const store = opened()
    const many = Array.from({ length: 10_001 }, (_, index) => store.commit(put(`k${index}`)))
    const outcomes = await Promise.allSettled(many)
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(10_000)
    await rejects(many[10_000]!, 'RATE_LIMITED')
    expect(await store.commit(put('more'))).toEqual({ committed: true, revision: 10_001 })
  })

  it('refuses what is heavier than can wait', async () => {
    const store = opened()
    const heavy = { changes: ['a', 'b', 'c', 'd'].map((key) => putting(key, 'x'.repeat(STORE_LIMITS.valueBytes))) }
    const outcomes = await Promise.allSettled(Array.from({ length: 9 }, () => store.commit(heavy)))
    expect(outcomes.map(({ status }) => status)).toEqual([...Array.from({ length: 8 }, () => 'fulfilled'), 'rejected'])
    expect(await store.commit(heavy)).toEqual({ committed: true, revision: 9 })
  })

  it('is still answered when the store is closed in the same turn', async () => {
    const store = opened()
    const commit = store.commit(put('a'))
    await store.close()
    expect(await commit).toEqual({ committed: true, revision: 1 })
  })
})

describe('leases', () => {
  it('that end in the same turn as a put with them refuse the put', async () => {
    const store = opened()
    const lease = await store.grantLease(5000)
    const [, late] = await Promise.allSettled([lease.revoke(), store.commit({ changes: [putting('a', '', lease.id)] })])
    expect(late).toMatchObject({ status: 'rejected', reason: { code: 'LEASE_ENDED' } })
    expect(await store.get('a')).toBeUndefined()
  })

  it('are saved by a renewal that comes after their time but before their end is written', async () => {
    const time = { ms: 0, pass: (): void => undefined }
    const sleep = (): Promise<void> => new Promise((resolve) => (time.pass = resolve))
    const store = opened({ clock: { nowMs: () => 0, monotonicMs: () => time.ms, sleep } })
    const lease = await store.grantLease(5000)
    await store.commit({ changes: [putting('a', '', lease.id)] })
    time.ms = 5000
    time.pass()
    // Promises run, but not the end of the turn, when the end of the lease is written.
    for (let step = 0; step < 10; step++) await Promise.resolve()
    await lease.renew()
    await turns(3)
    expect(await store.get('a')).toBeDefined()
    time.ms = 10_000
    time.pass()
    await turns(3)
    expect(await store.get('a')).toBeUndefined()
  })

  it('that are due at the same moment end in one turn, each by its own commit', async () => {
    const store = opened()
    const leases = await Promise.all(Array.from({ length: 3 }, () => store.grantLease(5000)))
    await Promise.all(leases.map(({ id }, index) => store.commit({ changes: [putting(`k${index}`, '', id)] })))
    await clock.advance(5000)
    const batches = await watchSome(store, '', 3, 3)
    expect(batches.map(({ revision, changes }) => [revision, changes])).toEqual(
      [0, 1, 2].map((index) => [4 + index, [{ op: 'delete', key: `k${index}` }]]),
    )
  })

  it('are limited in number, also within one turn, and there is room again when one ends', async () => {
    const store = opened()
    const grant = (count: number) => Promise.allSettled(Array.from({ length: count }, () => store.grantLease(60_000)))
    await grant(STORE_LIMITS.leases - 3)
    const last = await grant(5)
    expect(last.map(({ status }) => status)).toEqual([
      ...Array.from({ length: 3 }, () => 'fulfilled'),
      'rejected',
      'rejected',
    ])
    expect(last[4]).toMatchObject({ reason: { code: 'TOO_LARGE' } })
    const [first] = last
    if (first?.status === 'fulfilled') await first.value.revoke()
    await (await store.grantLease(60_000)).revoke()
    await store.close()
  })
})

describe('history', () => {
  it('is also bounded by its weight, and always holds the newest commit', async () => {
    const store = opened({ keepBytes: 100 })
    for (let index = 0; index < 10; index++) await store.commit(put('k', 'x'.repeat(39)))
    expect(await watchTo(store, '', 8, 10)).toHaveLength(2)
    await rejects(watchSome(store, '', 7, 1), 'COMPACTED')
    await store.commit(put('k', 'x'.repeat(1000)))
    expect(await watchTo(store, '', 10, 11)).toHaveLength(1)
    await rejects(watchSome(store, '', 9, 1), 'COMPACTED')
  })

  it('is read by a thousand slow watches without a copy for each', async () => {
    const store = opened()
    const { signal } = new AbortController()
    const watches = Array.from({ length: 1000 }, () => store.watch('', { after: 0, signal })[Symbol.asyncIterator]())
    await store.commit(put('k', 'x'.repeat(1000)))
    const first = await Promise.all(watches.map((watch) => watch.next()))
    expect(new Set(first.map(({ value }) => value as unknown)).size).toBe(1)
    for (let index = 0; index < 100; index++) await store.commit(put('k', 'x'.repeat(1000)))
    for (const watch of watches) await watch.return?.()
  })

  it('that does not concern a watch is passed over without holding up others', async () => {
    const store = opened()
    for (let index = 0; index < 3000; index++) void store.commit(put('loud'))
    await store.commit(put('quiet'))
    let turns = 0
    const counting = { on: true }
    const count = async (): Promise<void> => {
      while (counting.on) {
        await turn()
        turns++
      }
    }
    const counted = count()
    expect(await watchSome(store, 'quiet', 0, 1)).toHaveLength(1)
    counting.on = false
    await counted
    expect(turns).toBeGreaterThan(3)
  })
})

async function turns(count: number): Promise<void> {
  for (let done = 0; done < count; done++) await turn()
}
