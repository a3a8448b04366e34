import { expect, test } from 'vitest'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { keys } from '../core/keys.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { calmTraffic, trafficOf } from './agent-traffic.ts'

const TREE = 'catalog'
const DRAIN = { tree: TREE, by: 'ann', reason: '', atMs: 1 }

async function trafficWith(values: Readonly<Record<string, object>>): Promise<string> {
  const store = new MemoryStore({ clock: new VirtualClock() })
  for (const [key, value] of Object.entries(values)) {
    await store.commit({ changes: [{ op: 'put', key, value: JSON.stringify(value) }] })
  }
  return await trafficOf(TREE, 'gs1', store, {})
}

const alive = { [keys.alive('edge')]: { node: 'edge' } }
const proxy = (asOf: number, state = 'in-step') => ({
  [keys.proxy('edge', 'nginx')]: { kind: 'nginx', state, asOf, atMs: 1 },
})
const drained = (more: object = {}) => ({ [keys.drain('gs1', 'manual')]: { ...DRAIN, ...more } })

test('nobody sends clients where there is no proxy', async () => {
  expect(await trafficWith({ ...alive, ...drained() })).toBe('no-proxy')
})

test('a node is drained once every proxy has taken over that it is, as a whole and for that tree', async () => {
  expect(await trafficWith({ ...alive, ...drained(), ...proxy(2) })).toBe('drained')
  expect(await trafficWith({ ...alive, ...drained(), ...proxy(1) })).toBe('open')
  expect(await trafficWith({ ...alive, ...proxy(9) })).toBe('open')
  expect(await trafficWith({ ...alive, ...drained({ items: ['a'] }), ...proxy(9) })).toBe('open')
  expect(await trafficWith({ ...alive, ...drained({ tree: 'other' }), ...proxy(9) })).toBe('open')
})

test('a proxy that is lost or has failed confirms nothing', async () => {
  expect(await trafficWith({ ...drained(), ...proxy(9) })).toBe('open')
  expect(await trafficWith({ ...alive, ...drained(), ...proxy(9, 'failed') })).toBe('open')
})

test('requests that are under way when a node is drained have a second', async () => {
  const clock = new VirtualClock()
  let now: Awaited<ReturnType<typeof trafficOf>> = 'open'
  const traffic = calmTraffic(clock, async () => await Promise.resolve(now))
  const seen = async (ms: number): Promise<string> => {
    await clock.advance(ms)
    return await traffic({})
  }
  expect(await seen(5000)).toBe('open')
  now = 'drained'
  expect(await seen(0)).toBe('open')
  expect(await seen(999)).toBe('open')
  expect(await seen(1)).toBe('drained')
  now = 'open'
  expect(await seen(1)).toBe('open')
  now = 'drained'
  expect(await seen(10)).toBe('open')
  now = 'no-proxy'
  expect(await seen(0)).toBe('no-proxy')
})
