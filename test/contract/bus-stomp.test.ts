import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, onTestFinished, vi } from 'vitest'
import { probeStomp } from '../../src/bus/stomp/probe.ts'
import type { StompBus, StompBusOptions } from '../../src/bus/stomp/stomp-bus.ts'
import { Secret } from '../../src/lib/secret.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { LossyBus } from '../fault/lossy-bus.ts'
import { type ActiveMq, isActiveMqInstalled, startActiveMq } from '../helpers/activemq.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { recorder } from '../helpers/hub.ts'
import { needs } from '../helpers/needs.ts'
import { seeded } from '../helpers/random.ts'
import { selfSigned } from '../helpers/self-signed.ts'
import { away, hear, newTopic, openStompBus, openStompNode, PATIENT, queueOf, until } from '../helpers/stomp-buses.ts'
import { busContract, type BusUnderTest } from './bus.ts'

const test = await needs({ tools: ['activemq', 'openssl'] })
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

async function open(): Promise<BusUnderTest> {
  const topic = newTopic()
  const nodes = new Map([
    ['erd1', await openNode('erd1', { topic })],
    ['erd2', await openNode('erd2', { topic })],
  ])
  const publisher = openBus({ topic })
  return {
    publisher,
    subscriber: (node) => nodes.get(node) ?? publisher,
    close: async () => {
      for (const bus of [publisher, ...nodes.values()]) await bus.close()
    },
  }
}

busContract('stomp', open, { lossy: false, test })

busContract(
  'stomp, repeating and reordering',
  async () => {
    const bus = await open()
    const faults = { repeat: 0.5, delay: 0.3, delayMsMax: 20, clock: systemClock, random: seeded(11) }
    return { ...bus, publisher: new LossyBus(bus.publisher, faults) }
  },
  { lossy: true, test },
)

test('who comes late hears nothing of before', SLOW, async () => {
  const topic = newTopic()
  const hub = openBus({ topic })
  const early = hear(await openNode('erd1', { topic }), 'erd1')
  await hub.publish({ prefix: 'desired/', revision: 1 })
  await until(early, { prefix: 'desired/', revision: 1 })
  const late = hear(await openNode('erd2', { topic }), 'erd2')
  await hub.publish({ prefix: 'request/', revision: 2 })
  await until(late, { prefix: 'request/', revision: 2 })
  expect([...late]).toEqual([['request/', 2]])
})

test('hints that nobody fetches end, and leave nothing among the dead letters', SLOW, async () => {
  const broker = theBroker()
  const topic = newTopic()
  await (await openNode('erd1', { topic })).close()
  // Told by a clock that is behind, they have seconds left instead of minutes.
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() - 598_000 }
  const hub = openBus({ topic, clock })
  for (let revision = 1; revision <= 50; revision++) await hub.publish({ prefix: `p${revision}/`, revision })
  const queue = queueOf('erd1', topic)
  await vi.waitFor(async () => expect((await broker.waiting(queue)).length).toBeGreaterThan(5), PATIENT)
  const [hint] = await broker.waiting(queue)
  expect(hint?.headers.has('persistent') ?? false).toBe(false)
  await vi.waitFor(async () => expect(await broker.waiting(queue)).toEqual([]), PATIENT)
  expect(await broker.waiting('ActiveMQ.DLQ')).toEqual([])
})

test('nodes whose names look alike or mean something to the broker have queues of their own', SLOW, async () => {
  const topic = newTopic()
  const names = ['a', 'a.b', 'b.VirtualTopic', 'a_b', 'a-b', '*', '>', 'a,b', 'a?b', 'é/%']
  const heard = await Promise.all(names.map(async (node) => hear(await openNode(node, { topic }), node)))
  await openBus({ topic }).publish({ prefix: 'desired/', revision: 1 })
  for (const each of heard) await until(each, { prefix: 'desired/', revision: 1 })
})

test('what others send to the topic is passed over', SLOW, async () => {
  const topic = newTopic()
  const heard = hear(await openNode('erd1', { topic }), 'erd1')
  const stranger = await theBroker().admin()
  const to = `/topic/VirtualTopic.${topic}`
  const junk = ['', 'text', '{"prefix": ', 'null', '[]', '{"prefix":"desired/","revision":-1}', 'x'.repeat(1_000_000)]
  for (const body of junk) await stranger.send(to, {}, body)
  await stranger.send(to, { 'a:b\\c\n': '\\:\r\n' }, '{"prefix":"x/","revision":1,"data":"x"}')
  await stranger.send(to, {}, '{"prefix":"desired/","revision":5}')
  await until(heard, { prefix: 'desired/', revision: 5 })
  expect([...heard]).toEqual([['desired/', 5]])
  await stranger.close()
  expect(await theBroker().waiting(queueOf('erd1', topic))).toEqual([])
})

test('a wrong password is said in words, and shown nowhere', SLOW, async () => {
  const { log, lines } = recorder()
  const bus = openBus({ password: new Secret('hunter2-hunter2'), log })
  await away(bus, /refused: User name \[flotilla\] or password is invalid/)
  expect(JSON.stringify([lines, bus.health, bus])).not.toContain('hunter2')
})

test('a user without the right to the topic is told so, and keeps being away', SLOW, async () => {
  const { log, lines } = recorder()
  const bus = openBus({ topic: 'of-others', log })
  await bus.publish({ prefix: 'desired/', revision: 1 })
  await away(bus, /refused: .*not authorized to write/)
  await vi.waitFor(() => expect(lines.filter(({ level }) => level === 'warn').length).toBe(1), PATIENT)
  await sleep(1500)
  expect(bus.health.state).toBe('away')
})

test('a look at the broker finds whether an agent listens', SLOW, async () => {
  const topic = newTopic()
  const { url, user, password } = theBroker()
  const options = { url, user, password, topic, clock: systemClock }
  expect(await probeStomp(options, 'erd1')).toEqual({ listening: 0 })
  const node = await openNode('erd1', { topic })
  expect(await probeStomp(options, 'erd1')).toEqual({ listening: 1 })
  await node.close()
  expect(await probeStomp(options, 'erd1')).toEqual({ listening: 0 })
  const wrong = { ...options, password: new Secret('hunter2-hunter2') }
  await expect(probeStomp(wrong, 'erd1')).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringMatching(/localhost.*password is invalid/),
  })
})

test('with TLS, the broker is believed only with a certificate of the right authority', SLOW, async () => {
  const files = selfSigned(temporaryFolder({}), 'DNS:localhost')
  const broker = await startActiveMq({ tls: files })
  onTestFinished(async () => await broker.stop())
  const { url, user, password } = broker
  const at = { url, user, password }
  const trusting = await openNode('erd1', { ...at, ca: readFileSync(files.certificate, 'utf8') })
  const heard = hear(trusting, 'erd1')
  await trusting.publish({ prefix: 'desired/', revision: 3 })
  await until(heard, { prefix: 'desired/', revision: 3 })
  await away(openBus(at), /certificate/)
  await away(openBus({ ...at, url: url.replace('stomp+ssl', 'stomp') }), /./)
})
