import { expect, test } from 'vitest'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { aborted, sleepQuietly, withDeadline } from './waiting.ts'

test('a sleep says whether it lasted', async () => {
  const clock = new VirtualClock()
  const stop = new AbortController()
  const whole = sleepQuietly(clock, 100, new AbortController().signal)
  const cut = sleepQuietly(clock, 100, stop.signal)
  stop.abort()
  await clock.advance(100)
  expect(await whole).toBe(true)
  expect(await cut).toBe(false)
  expect(await sleepQuietly(clock, 100, stop.signal)).toBe(false)
})

test('aborted resolves with the signal, and at once when it is too late', async () => {
  const stop = new AbortController()
  const waiting = aborted(stop.signal)
  stop.abort()
  await waiting
  await aborted(stop.signal)
})

test('work within its time is answered, and leaves no timer behind', async () => {
  const clock = new VirtualClock()
  let seen: AbortSignal | undefined
  const answer = await withDeadline(clock, 100, async (signal) => {
    seen = signal
    return 'done'
  })
  await clock.advance(1000)
  expect(answer).toBe('done')
  expect(seen?.aborted).toBe(false)
})

test('work beyond its time is told so', async () => {
  const clock = new VirtualClock()
  const late = withDeadline(clock, 100, async (signal) => {
    await aborted(signal)
    signal.throwIfAborted()
  })
  const told = expect(late).rejects.toMatchObject({ code: 'UNREACHABLE', message: 'no answer within 100 ms' })
  await clock.advance(100)
  await told
})
