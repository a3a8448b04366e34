import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../src/store/memory/memory-store.ts'
import { commit, put, rejects, watchSome } from '../contract/store/under-test.ts'
import { seeded } from '../helpers/random.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'
import { type FaultPlan, FlakyStore, randomFaults, scriptedFaults, type StoreFault } from './flaky-store.ts'

function behind(plan: FaultPlan) {
  const clock = new VirtualClock()
  const inner = new MemoryStore({ clock })
  return { clock, inner, flaky: new FlakyStore(inner, clock, plan) }
}

describe('a flaky store', () => {
  it('refuses without an effect', async () => {
    const { inner, flaky } = behind(scriptedFaults({ commit: [undefined, 'refuse'] }))
    await commit(flaky, put('t/a', '1'))
    await rejects(commit(flaky, put('t/a', '2')), 'UNREACHABLE')
    expect((await inner.get('t/a'))?.value).toBe('1')
    await commit(flaky, put('t/a', '3'))
    expect((await flaky.get('t/a'))?.value).toBe('3')
  })

  it('loses an answer after the effect', async () => {
    const { inner, flaky } = behind(scriptedFaults({ commit: ['lose-answer'], revoke: ['lose-answer'] }))
    const lease = await flaky.grantLease(5000)
    await rejects(commit(flaky, put('t/a', '1', lease.id)), 'UNREACHABLE')
    expect((await inner.get('t/a'))?.value).toBe('1')
    await rejects(lease.revoke(), 'UNREACHABLE')
    expect(await inner.get('t/a')).toBeUndefined()
  })

  it('delays an operation', async () => {
    const { clock, inner, flaky } = behind(scriptedFaults({ commit: [{ delayMs: 500 }] }))
    const late = commit(flaky, put('t/a', '1'))
    await clock.advance(499)
    expect(await inner.get('t/a')).toBeUndefined()
    await clock.advance(1)
    await late
    expect((await inner.get('t/a'))?.value).toBe('1')
  })

  it('cuts a watch between two batches; watching on from the last one misses nothing', async () => {
    const { flaky } = behind(scriptedFaults({ batch: [undefined, 'refuse'] }))
    for (const value of ['1', '2', '3']) await commit(flaky, put('t/a', value))
    const seen: number[] = []
    const { signal } = new AbortController()
    const reading = async (): Promise<void> => {
      for await (const { revision } of flaky.watch('t/', { after: 0, signal })) seen.push(revision)
    }
    await rejects(reading(), 'UNREACHABLE')
    expect(seen).toEqual([1])
    expect((await watchSome(flaky, 't/', 1, 2)).map(({ revision }) => revision)).toEqual([2, 3])
  })

  it('does the same for the same seed', () => {
    expect(drawn(7)).toEqual(drawn(7))
    expect(drawn(7)).not.toEqual(drawn(8))
    expect(new Set(drawn(7))).toEqual(new Set([undefined, 'refuse', 'lose-answer']))
  })
})

function drawn(seed: number): readonly (StoreFault | undefined)[] {
  const plan = randomFaults(seeded(seed), 0.3)
  return Array.from({ length: 200 }, () => plan('get'))
}
