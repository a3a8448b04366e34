import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../../../test/helpers/virtual-clock.ts'
import { LeaseTimers } from './lease-timers.ts'

function watched(fail: { times: number } = { times: 0 }) {
  const clock = new VirtualClock()
  const ended: [id: string, at: number][] = []
  const timers = new LeaseTimers(clock, async (id) => {
    if (!timers.isDue(id)) return
    if (fail.times-- > 0) throw new Error('no room')
    ended.push([id, clock.monotonicMs()])
    timers.remove(id)
  })
  return { clock, timers, ended }
}

describe('lease timers', () => {
  it('end each lease at its own time, never before', async () => {
    const { clock, timers, ended } = watched()
    timers.add('b', 3000)
    timers.add('a', 2000)
    await clock.advance(1999)
    expect(ended).toEqual([])
    await clock.advance(2000)
    expect(ended).toEqual([
      ['a', 2000],
      ['b', 3000],
    ])
    expect(timers.count).toBe(0)
  })

  it('count from the last renewal', async () => {
    const { clock, timers, ended } = watched()
    timers.add('a', 2000)
    for (let round = 0; round < 5; round++) {
      await clock.advance(1500)
      expect(timers.renew('a')).toBe(true)
    }
    await clock.advance(5000)
    expect(ended).toEqual([['a', 9500]])
    expect(timers.renew('a')).toBe(false)
  })

  it('try again after a while when a lease could not be ended', async () => {
    const { clock, timers, ended } = watched({ times: 3 })
    timers.add('a', 2000)
    await clock.advance(10_000)
    expect(ended).toEqual([['a', 5000]])
  })

  it('let a lease live that was renewed while it could not be ended', async () => {
    const { clock, timers, ended } = watched({ times: 1 })
    timers.add('a', 2000)
    await clock.advance(2500)
    expect(timers.has('a')).toBe(true)
    expect(timers.renew('a')).toBe(true)
    await clock.advance(1999)
    expect(ended).toEqual([])
    await clock.advance(1)
    expect(ended).toEqual([['a', 4500]])
  })

  it('stop when they are removed or closed', async () => {
    const { clock, timers, ended } = watched()
    timers.add('a', 2000)
    timers.add('b', 2000)
    timers.remove('a')
    expect(timers.has('a')).toBe(false)
    timers.close()
    await clock.advance(10_000)
    expect(ended).toEqual([])
    expect(timers.count).toBe(0)
  })
})
