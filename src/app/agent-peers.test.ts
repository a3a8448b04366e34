import { expect, onTestFinished, test } from 'vitest'
import { MemoryBlobs } from '../../test/helpers/memory-blobs.ts'
import { recorder } from '../../test/helpers/hub.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { MemoryBus } from '../bus/memory/memory-bus.ts'
import { agentSchema } from '../config/agent.ts'
import type { Bus, Hint } from '../core/bus.ts'
import { keys } from '../core/keys.ts'
import { systemClock } from '../lib/system-clock.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { findPeers, offer } from './agent-peers.ts'

async function offering(more: object, broker?: Bus) {
  const store = new MemoryStore({ clock: new VirtualClock() })
  await store.commit({ changes: [{ op: 'put', key: keys.peerKey, value: 'shared' }] })
  const config = agentSchema.parse({ node: 'erd1', hub: 'http://127.0.0.1:9', ...more })
  const peers = findPeers({ node: 'erd1', store, clock: systemClock })
  const { log, lines } = recorder()
  const offered = offer({ config, blobs: new MemoryBlobs(systemClock), peers, broker, log })
  const stop = new AbortController()
  const running = Promise.all(offered.services.map((service) => service.run(stop.signal)))
  onTestFinished(async () => {
    stop.abort()
    await running
  })
  const heard = offered.bus?.subscribe({ node: 'erd1', signal: stop.signal })[Symbol.asyncIterator]()
  const next = async (): Promise<Hint | undefined> => {
    const read = await heard?.next()
    return read?.done === false ? read.value : undefined
  }
  return { ...offered, lines, next }
}

test('a node that offers nothing and has no broker hears by its watch alone', async () => {
  expect(await offering({})).toMatchObject({ services: [], bus: undefined })
})

test('what the broker brings is heard', async () => {
  const broker = new MemoryBus()
  const { services, next } = await offering({}, broker)
  expect(services).toEqual([])
  await broker.publish({ prefix: 'desired/', revision: 3 })
  expect(await next()).toEqual({ prefix: 'desired/', revision: 3 })
})

test('a node that also listens hears both, whichever comes', async () => {
  const broker = new MemoryBus()
  const { lines, next } = await offering({ peerListen: '127.0.0.1:0' }, broker)
  await expect.poll(() => lines.length, { timeout: 10_000 }).toBe(1)
  const { host, port } = (lines[0]?.fields ?? {}) as { host: string; port: number }
  await broker.publish({ prefix: 'desired/', revision: 3 })
  expect(await next()).toEqual({ prefix: 'desired/', revision: 3 })
  const answer = await fetch(`http://${host}:${port}/v1/hint`, {
    method: 'POST',
    headers: { authorization: 'Bearer shared' },
    body: '{"prefix":"request/","revision":4}',
  })
  expect(answer.status).toBe(204)
  expect(await next()).toEqual({ prefix: 'request/', revision: 4 })
})
