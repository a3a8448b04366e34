import { expect, test } from 'vitest'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { Subscription } from '../lib/subscription.ts'
import { Wake } from '../lib/wake.ts'
import { localWake, type Reason } from './wake.ts'

const signal = new AbortController().signal

interface Woken {
  readonly atMs: number
  readonly reasons: readonly Reason[]
}

function setup(): { readonly clock: VirtualClock; readonly wake: Wake<Reason> } {
  const clock = new VirtualClock()
  return { clock, wake: new Wake<Reason>(clock) }
}

/** Waits once, and says when and why it ended. */
async function waitOnce(
  { clock, wake }: ReturnType<typeof setup>,
  options: Partial<Parameters<Wake<Reason>['wait']>[0]> = {},
): Promise<Woken> {
  const reasons = await wake.wait({ ms: 30_000, signal, ...options })
  return { atMs: clock.monotonicMs(), reasons: [...reasons] }
}

test('when nothing is heard it ends with the time, and no reason', async () => {
  const at = setup()
  const woken = waitOnce(at)
  await at.clock.advance(30_000)
  expect(await woken).toEqual({ atMs: 30_000, reasons: [] })
})

test('what is heard while waiting ends the wait at once', async () => {
  const at = setup()
  const woken = waitOnce(at)
  await at.clock.advance(70)
  at.wake.poke('wanted')
  expect(await woken).toEqual({ atMs: 70, reasons: ['wanted'] })
})

test('a burst is one look, and nothing of it is left for the next', async () => {
  const at = setup()
  for (let poke = 0; poke < 1000; poke++) at.wake.poke(poke % 2 === 0 ? 'wanted' : 'local')
  expect(await waitOnce(at)).toEqual({ atMs: 0, reasons: ['wanted', 'local'] })
  const next = waitOnce(at)
  await at.clock.advance(30_000)
  expect(await next).toEqual({ atMs: 30_000, reasons: [] })
})

test('what is heard during a look is not lost: the next wait ends at once', async () => {
  const at = setup()
  at.wake.poke('manual')
  await waitOnce(at)
  at.wake.poke('wanted')
  expect(await waitOnce(at)).toEqual({ atMs: 0, reasons: ['wanted'] })
})

test('a reason it is deaf for waits until the time has passed, or another reason comes', async () => {
  const at = setup()
  at.wake.poke('local')
  const timed = waitOnce(at, { ms: 1000, deaf: ['local'] })
  await at.clock.advance(1000)
  expect(await timed).toEqual({ atMs: 1000, reasons: ['local'] })
  const heard = waitOnce(at, { deaf: ['local'] })
  at.wake.poke('local')
  await at.clock.advance(500)
  at.wake.poke('wanted')
  expect(await heard).toEqual({ atMs: 1500, reasons: ['local', 'wanted'] })
})

test('an aborted signal ends the wait', async () => {
  const at = setup()
  const stop = new AbortController()
  const woken = waitOnce(at, { signal: stop.signal })
  await at.clock.advance(10)
  stop.abort()
  expect(await woken).toEqual({ atMs: 10, reasons: [] })
})

test('changes of local files are looked at when they have come to rest, not one by one', async () => {
  const { clock, wake } = setup()
  const stop = new AbortController()
  const changes = new Subscription<object>({ signal: stop.signal, limit: 10, merge: (_, next) => next })
  const service = localWake({ name: 'datasets', changes: () => changes, wake, clock })
  const running = service.run(stop.signal)
  const woken: Woken[] = []
  const watching = (async () => {
    while (!stop.signal.aborted) woken.push(await waitOnce({ clock, wake }, { signal: stop.signal }))
  })()
  for (let write = 0; write < 20; write++) {
    changes.push({})
    await clock.advance(10)
  }
  await clock.advance(5000)
  stop.abort()
  await Promise.all([running, watching])
  expect(woken.filter(({ reasons }) => reasons.includes('local')).map(({ atMs }) => atMs)).toEqual([500, 1000])
})
