import { expect, onTestFinished, test } from 'vitest'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { MemoryBus } from '../bus/memory/memory-bus.ts'
import type { Hint } from '../core/bus.ts'
import { keys } from '../core/keys.ts'
import type { Write } from '../core/store.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { tellChanges } from './hints.ts'

const put = (key: string): Write => ({ op: 'put', key, value: 'x' })

function setUp() {
  const store = new MemoryStore({ clock: new VirtualClock() })
  const bus = new MemoryBus()
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  const heard = bus.subscribe({ node: 'erd1', signal: stop.signal })[Symbol.asyncIterator]()
  const next = async (): Promise<Hint> => {
    const { value, done } = await heard.next()
    if (done === true) throw new Error('the bus was closed')
    return value
  }
  return { store, bus, stop, next, service: tellChanges({ store, bus }) }
}

test('each commit that nodes act on is told by its family, and nothing of the key goes out', async () => {
  const { store, stop, next, service } = setUp()
  const running = service.run(stop.signal)
  await store.commit({ changes: [put(keys.node('erd1')), put(keys.token('ab')), put('secret/x')] })
  await store.commit({ changes: [put(keys.desired('datasets')), put(keys.request('datasets', 'reload', 'a'))] })
  await store.commit({ changes: [put(keys.list('datasets', 'subscriptionEmailBlacklist', 'a@b.example'))] })
  await store.commit({ changes: [put(keys.drain('erd1', 'manual'))] })
  await store.commit({ changes: [put(keys.rollout('datasets'))] })
  expect([await next(), await next(), await next(), await next(), await next()]).toEqual([
    { prefix: 'desired/', revision: 2 },
    { prefix: 'request/', revision: 2 },
    { prefix: 'list/', revision: 3 },
    { prefix: 'drain/', revision: 4 },
    { prefix: 'rollout/', revision: 5 },
  ])
  stop.abort()
  await running
})

test('what changed while it did not run is told by one hint for each family', async () => {
  const { store, stop, next, service } = setUp()
  for (let i = 0; i < 7; i++) await store.commit({ changes: [put(keys.desired('datasets'))] })
  const running = service.run(stop.signal)
  const hints = [await next(), await next(), await next(), await next(), await next()]
  expect(hints.map(({ prefix }) => prefix)).toEqual(['desired/', 'request/', 'list/', 'drain/', 'rollout/'])
  expect(new Set(hints.map(({ revision }) => revision))).toEqual(new Set([7]))
  stop.abort()
  await running
})

test('a store that ends makes it reject, so that it is started again', async () => {
  const { store, stop, service } = setUp()
  const running = service.run(stop.signal)
  await store.commit({ changes: [put('x/y')] })
  await store.close()
  await expect(running).rejects.toMatchObject({ code: expect.stringMatching(/UNREACHABLE|NOT_READY/) })
})
