import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, vi } from 'vitest'
import { probeStomp } from '../../src/bus/stomp/probe.ts'
import { Secret } from '../../src/lib/secret.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { away, Carried, hear, PATIENT, until } from '../helpers/carrier.ts'
import { recorder } from '../helpers/hub.ts'
import { needs } from '../helpers/needs.ts'
import { queueOf, stompCarrier } from '../helpers/stomp-carrier.ts'
import { openTcpProxy } from '../helpers/tcp-proxy.ts'
import { carriedBusContract } from './carried-bus.ts'

const test = await needs({ tools: ['activemq', 'openssl'] })
const SLOW = { timeout: 150_000 }
const carried = new Carried(stompCarrier)

carriedBusContract(carried, test)

test('who comes late hears nothing of before', SLOW, async () => {
  const topic = carried.newChannel()
  const hub = await carried.open(topic)
  const early = hear(await carried.openNode('erd1', topic), 'erd1')
  await hub.publish({ prefix: 'desired/', revision: 1 })
  await until(early, { prefix: 'desired/', revision: 1 })
  const late = hear(await carried.openNode('erd2', topic), 'erd2')
  await hub.publish({ prefix: 'request/', revision: 2 })
  await until(late, { prefix: 'request/', revision: 2 })
  expect([...late]).toEqual([['request/', 2]])
})

test('hints that nobody fetches end, and leave nothing among the dead letters', SLOW, async () => {
  const { broker } = carried
  const topic = carried.newChannel()
  await (await carried.openNode('erd1', topic)).close()
  // Told by a clock that is behind, they have seconds left instead of minutes.
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() - 598_000 }
  const hub = await carried.open(topic, { clock })
  for (let revision = 1; revision <= 50; revision++) await hub.publish({ prefix: `p${revision}/`, revision })
  const queue = queueOf('erd1', topic)
  await vi.waitFor(async () => expect((await broker.waiting(queue)).length).toBeGreaterThan(5), PATIENT)
  const [hint] = await broker.waiting(queue)
  expect(hint?.headers.has('persistent') ?? false).toBe(false)
  await vi.waitFor(async () => expect(await broker.waiting(queue)).toEqual([]), PATIENT)
  expect(await broker.waiting('ActiveMQ.DLQ')).toEqual([])
})

test('nodes whose names look alike or mean something to the broker have queues of their own', SLOW, async () => {
  const topic = carried.newChannel()
  const names = ['a', 'a.b', 'b.VirtualTopic', 'a_b', 'a-b', '*', '>', 'a,b', 'a?b', 'é/%']
  const heard = await Promise.all(names.map(async (node) => hear(await carried.openNode(node, topic), node)))
  await (await carried.open(topic)).publish({ prefix: 'desired/', revision: 1 })
  for (const each of heard) await until(each, { prefix: 'desired/', revision: 1 })
})

test('a user without the right to the topic is told so, and keeps being away', SLOW, async () => {
  const { log, lines } = recorder()
  const bus = await carried.open('of-others', { log })
  await bus.publish({ prefix: 'desired/', revision: 1 })
  await away(bus, /refused: .*not authorized to write/)
  await vi.waitFor(() => expect(lines.filter(({ level }) => level === 'warn').length).toBe(1), PATIENT)
  await sleep(1500)
  expect(bus.health.state).toBe('away')
})

test('a look at the broker finds whether an agent listens', SLOW, async () => {
  const topic = carried.newChannel()
  const { url, user, password } = carried.broker
  const options = { url, user, password, topic, clock: systemClock }
  expect(await probeStomp(options, 'erd1')).toEqual({ listening: 0 })
  const node = await carried.openNode('erd1', topic)
  expect(await probeStomp(options, 'erd1')).toEqual({ listening: 1 })
  await node.close()
  expect(await probeStomp(options, 'erd1')).toEqual({ listening: 0 })
  const wrong = { ...options, password: new Secret('hunter2-hunter2') }
  await expect(probeStomp(wrong, 'erd1')).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringMatching(/localhost.*password is invalid/),
  })
})

test('a network that loses everything is noticed, and hints go on behind it', SLOW, async () => {
  const topic = carried.newChannel()
  const wire = await openTcpProxy(carried.broker.url.replace('stomp:', 'http:'))
  onTestFinished(async () => await wire.close())
  const node = await carried.openNode('erd1', topic, { url: wire.url.replace('http:', 'stomp:') })
  const heard = hear(node, 'erd1')
  const hub = await carried.open(topic)
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
  const topic = carried.newChannel()
  const url = `stomp://localhost:1,${carried.broker.url}`
  const heard = hear(await carried.openNode('erd1', topic, { url }), 'erd1')
  await (await carried.open(topic, { url })).publish({ prefix: 'desired/', revision: 1 })
  await until(heard, { prefix: 'desired/', revision: 1 })
})
