import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, onTestFinished, vi } from 'vitest'
import type { StompBus, StompBusOptions } from '../../src/bus/stomp/stomp-bus.ts'
import { type ActiveMq, isActiveMqInstalled, startActiveMq } from '../helpers/activemq.ts'
import { recorder } from '../helpers/hub.ts'
import { needs } from '../helpers/needs.ts'
import {
  away,
  connected,
  hear,
  newTopic,
  openStompBus,
  openStompNode,
  PATIENT,
  queueOf,
  until,
} from '../helpers/stomp-buses.ts'
import { openTcpProxy } from '../helpers/tcp-proxy.ts'

/** A real ActiveMQ that is killed, stands still or cannot be reached, under hubs and nodes that use it. */

const test = await needs({ tools: ['activemq'] })
const SLOW = { timeout: 150_000 }

let started: ActiveMq | undefined
beforeAll(async () => (started = isActiveMqInstalled() ? await startActiveMq() : undefined), 150_000)
afterAll(async () => await started?.stop())

function theBroker(): ActiveMq {
  if (started === undefined) throw new Error('there is no broker')
  return started
}

const openBus = (more: Partial<StompBusOptions> = {}): StompBus => openStompBus(theBroker(), more)
const openNode = async (node: string, more: Partial<StompBusOptions>): Promise<StompBus> =>
  await openStompNode(theBroker(), node, more)

test('a broker that is absent at the start is found when it comes, and told the newest', SLOW, async () => {
  const broker = theBroker()
  const topic = newTopic()
  // Its queue is there already, as of a node that has listened before.
  await (await openNode('erd1', { topic })).close()
  await broker.kill()
  const { log, lines } = recorder()
  const [hub, node] = [openBus({ topic, log }), openBus({ topic })]
  const heard = hear(node, 'erd1')
  for (let revision = 1; revision <= 500; revision++) await hub.publish({ prefix: 'desired/', revision })
  await away(hub, /ECONNREFUSED/)
  expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
  await broker.restart()
  await Promise.all([connected(hub), connected(node)])
  await hub.publish({ prefix: 'desired/', revision: 501 })
  await until(heard, { prefix: 'desired/', revision: 501 })
})

test('a broker killed twice in the middle loses nothing that counts', SLOW, async () => {
  const broker = theBroker()
  const topic = newTopic()
  const heard = hear(await openNode('erd1', { topic }), 'erd1')
  const hub = openBus({ topic })
  const stop = new AbortController()
  let revision = 0
  const publishing = (async () => {
    while (!stop.signal.aborted) {
      await hub.publish({ prefix: revision % 2 === 0 ? 'desired/' : 'request/', revision: ++revision })
      await sleep(2)
    }
  })()
  for (let kill = 0; kill < 2; kill++) {
    await vi.waitFor(() => expect(heard.size).toBe(2), PATIENT)
    await broker.kill()
    await away(hub, /./)
    const before = revision
    await broker.restart()
    await vi.waitFor(() => expect(heard.get('desired/')).toBeGreaterThan(before), PATIENT)
  }
  stop.abort()
  await publishing
  await until(heard, { prefix: 'request/', revision: revision % 2 === 0 ? revision : revision - 1 })
  await until(heard, { prefix: 'desired/', revision: revision % 2 === 0 ? revision - 1 : revision })
})

test('what is told while a node is away waits for it, also when the broker dies', SLOW, async () => {
  const broker = theBroker()
  const topic = newTopic()
  await (await openNode('erd1', { topic })).close()
  const hub = openBus({ topic })
  for (let revision = 1; revision <= 1000; revision++) await hub.publish({ prefix: 'desired/', revision })
  const waiting = async (): Promise<number> => (await broker.waiting(queueOf('erd1', topic))).length
  await vi.waitFor(async () => expect(await waiting()).toBeGreaterThan(0), PATIENT)
  expect(await waiting()).toBeLessThan(20)
  await broker.kill()
  await away(hub, /./)
  await broker.restart()
  // The broker has forgotten it, and the hub tells it again.
  await vi.waitFor(async () => expect(await waiting()).toBe(1), PATIENT)
  await until(hear(openBus({ topic }), 'erd1'), { prefix: 'desired/', revision: 1000 })
})

test('a broker that stands still holds nobody up, is noticed, and used again when it goes on', SLOW, async () => {
  const broker = theBroker()
  const topic = newTopic()
  const hub = await openNode('erd1', { topic })
  const other = openBus({ topic })
  await connected(other)
  const heard = hear(hub, 'erd1')
  broker.freeze()
  onTestFinished(() => broker.thaw())
  const before = Date.now()
  for (let revision = 1; revision <= 1000; revision++) await hub.publish({ prefix: `a${revision % 7}`, revision })
  expect(Date.now() - before).toBeLessThan(2000)
  await other.close()
  expect(Date.now() - before).toBeLessThan(6000)
  await expect(other.publish({ prefix: 'a', revision: 1 })).rejects.toMatchObject({ code: 'NOT_READY' })
  await away(hub, /silent for 20 s/)
  broker.thaw()
  await until(heard, { prefix: 'a6', revision: 1000 })
})

test('a network that loses everything is noticed, and hints go on behind it', SLOW, async () => {
  const topic = newTopic()
  const wire = await openTcpProxy(theBroker().url.replace('stomp:', 'http:'))
  onTestFinished(async () => await wire.close())
  const node = await openNode('erd1', { topic, url: wire.url.replace('http:', 'stomp:') })
  const heard = hear(node, 'erd1')
  const hub = openBus({ topic })
  wire.cut()
  await away(node, /./)
  await hub.publish({ prefix: 'desired/', revision: 1 })
  await until(heard, { prefix: 'desired/', revision: 1 })
  wire.clog()
  await hub.publish({ prefix: 'desired/', revision: 2 })
  await away(node, /silent|no answer/)
  wire.heal()
  await until(heard, { prefix: 'desired/', revision: 2 })
})

test('where one broker of several is gone, the next is used', SLOW, async () => {
  const topic = newTopic()
  const url = `stomp://localhost:1,${theBroker().url}`
  const heard = hear(await openNode('erd1', { topic, url }), 'erd1')
  await openBus({ topic, url }).publish({ prefix: 'desired/', revision: 1 })
  await until(heard, { prefix: 'desired/', revision: 1 })
})
