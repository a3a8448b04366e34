import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Connection } from 'rabbitmq-client'
import { afterAll, beforeAll, expect, onTestFinished, vi } from 'vitest'
import { type AmqpBus, connectionOptions, openAmqpBus } from '../../src/bus/amqp/amqp-bus.ts'
import type { Hint } from '../../src/core/bus.ts'
import { silent } from '../../src/core/log.ts'
import { Secret } from '../../src/lib/secret.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { LossyBus } from '../fault/lossy-bus.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { recorder } from '../helpers/hub.ts'
import { needs } from '../helpers/needs.ts'
import { selfSigned } from '../helpers/self-signed.ts'
import { type Broker, isBrokerInstalled, startBroker } from '../helpers/rabbitmq.ts'
import { seeded } from '../helpers/random.ts'
import { busContract, type BusUnderTest } from './bus.ts'

const test = await needs({ tools: ['rabbitmq-server', 'openssl'] })
const SLOW = { timeout: 150_000 }
const PATIENT = { timeout: 60_000, interval: 20 }

let started: Broker | undefined
beforeAll(async () => (started = isBrokerInstalled() ? await startBroker() : undefined), 150_000)
afterAll(async () => await started?.stop())

function theBroker(): Broker {
  if (started === undefined) throw new Error('there is no broker')
  return started
}

let count = 0
const newExchange = (): string => `flotilla.${++count}`

type Options = Parameters<typeof openAmqpBus>[0]

async function openBus(more: Partial<Options> = {}): Promise<AmqpBus> {
  const { url, user, password } = theBroker()
  const own = { exchange: 'flotilla', queueType: 'classic', connectionName: 'test', random: Math.random } as const
  const bus = await openAmqpBus({ url, user, password, clock: systemClock, log: silent, ...own, ...more })
  onTestFinished(async () => await bus.close())
  return bus
}

async function connected(bus: AmqpBus): Promise<void> {
  await vi.waitFor(() => expect(bus.health).toMatchObject({ state: 'connected' }), PATIENT)
}

/** A bus as a node has it, with its queue in place. */
async function openNode(node: string, more: Partial<Options>): Promise<AmqpBus> {
  const bus = await openBus(more)
  bus.subscribe({ node, signal: new AbortController().signal })
  await connected(bus)
  return bus
}

async function open(): Promise<BusUnderTest> {
  const exchange = newExchange()
  const nodes = new Map([
    ['erd1', await openNode('erd1', { exchange })],
    ['erd2', await openNode('erd2', { exchange })],
  ])
  const publisher = await openBus({ exchange })
  return {
    publisher,
    subscriber: (node) => nodes.get(node) ?? publisher,
    close: async () => {
      for (const bus of [publisher, ...nodes.values()]) await bus.close()
    },
  }
}

busContract('amqp', open, { lossy: false, test })

busContract(
  'amqp, repeating and reordering',
  async () => {
    const bus = await open()
    const faults = { repeat: 0.5, delay: 0.3, delayMsMax: 20, clock: systemClock, random: seeded(11) }
    return { ...bus, publisher: new LossyBus(bus.publisher, faults) }
  },
  { lossy: true, test },
)

/** The newest revision heard of each prefix. */
function hear(bus: AmqpBus, node: string): ReadonlyMap<string, number> {
  const heard = new Map<string, number>()
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  const reading = async (): Promise<void> => {
    for await (const { prefix, revision } of bus.subscribe({ node, signal: stop.signal })) {
      heard.set(prefix, Math.max(revision, heard.get(prefix) ?? 0))
    }
  }
  void reading()
  return heard
}

async function until(heard: ReadonlyMap<string, number>, { prefix, revision }: Hint): Promise<void> {
  await vi.waitFor(() => expect(heard.get(prefix)).toBe(revision), PATIENT)
}

test('a broker that is absent at the start is found when it comes, and told the newest', SLOW, async () => {
  const broker = theBroker()
  await broker.kill()
  const exchange = newExchange()
  const { log, lines } = recorder()
  const [hub, node] = [await openBus({ exchange, log }), await openBus({ exchange })]
  const heard = hear(node, 'erd1')
  for (let revision = 1; revision <= 500; revision++) await hub.publish({ prefix: 'desired/', revision })
  await vi.waitFor(
    () => expect(hub.health).toMatchObject({ state: 'away', error: expect.stringMatching(/ECONNREFUSED/) }),
    PATIENT,
  )
  expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
  await broker.restart()
  await Promise.all([connected(hub), connected(node)])
  // The queue may have been declared after the hint was sent: a bus may lose one, and the next one is heard.
  await hub.publish({ prefix: 'desired/', revision: 501 })
  await until(heard, { prefix: 'desired/', revision: 501 })
})

test('a broker killed twice in the middle loses nothing that counts', SLOW, async () => {
  const broker = theBroker()
  const exchange = newExchange()
  const node = await openNode('erd1', { exchange })
  const heard = hear(node, 'erd1')
  const hub = await openBus({ exchange })
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
    const before = revision
    await broker.kill()
    await vi.waitFor(() => expect(hub.health.state).toBe('away'), PATIENT)
    await broker.restart()
    await Promise.all([connected(hub), connected(node)])
    await vi.waitFor(() => expect(heard.get('desired/')).toBeGreaterThan(before), PATIENT)
  }
  stop.abort()
  await publishing
  await until(heard, { prefix: 'request/', revision: revision % 2 === 0 ? revision : revision - 1 })
  await until(heard, { prefix: 'desired/', revision: revision % 2 === 0 ? revision - 1 : revision })
})

test('what is confirmed while a node is away waits for it, also when the broker dies in between', SLOW, async () => {
  const broker = theBroker()
  const exchange = newExchange()
  const before = await openNode('erd1', { exchange })
  await before.close()
  const hub = await openBus({ exchange })
  await hub.publish({ prefix: 'desired/', revision: 7 })
  await vi.waitFor(
    async () => expect(await broker.ctl('list_queues', 'name', 'messages')).toMatch(`${exchange}:erd1\t1`),
    PATIENT,
  )
  await broker.kill()
  await broker.restart()
  const heard = hear(await openBus({ exchange }), 'erd1')
  await until(heard, { prefix: 'desired/', revision: 7 })
})

test('a broker that stands still holds nobody up', SLOW, async () => {
  const broker = theBroker()
  const hub = await openNode('erd1', { exchange: newExchange() })
  broker.freeze()
  onTestFinished(() => broker.thaw())
  const before = Date.now()
  for (let revision = 1; revision <= 1000; revision++) await hub.publish({ prefix: `a${revision % 7}`, revision })
  expect(Date.now() - before).toBeLessThan(2000)
  await hub.close()
  expect(Date.now() - before).toBeLessThan(6000)
  await expect(hub.publish({ prefix: 'a', revision: 1 })).rejects.toMatchObject({ code: 'NOT_READY' })
})

test('a queue that is deleted under its node is made again', SLOW, async () => {
  const broker = theBroker()
  const exchange = newExchange()
  const { log, lines } = recorder()
  const node = await openNode('erd1', { exchange, log })
  const hub = await openBus({ exchange })
  const heard = hear(node, 'erd1')
  await hub.publish({ prefix: 'desired/', revision: 1 })
  await until(heard, { prefix: 'desired/', revision: 1 })
  await broker.ctl('delete_queue', `${exchange}:erd1`)
  await vi.waitFor(() => expect(lines.some(({ level }) => level === 'warn')).toBe(true), PATIENT)
  await connected(node)
  await hub.publish({ prefix: 'desired/', revision: 2 })
  await until(heard, { prefix: 'desired/', revision: 2 })
})

test('nothing piles up for a node that is away', SLOW, async () => {
  const broker = theBroker()
  const exchange = newExchange()
  const away = await openNode('erd1', { exchange })
  await away.close()
  const hub = await openBus({ exchange })
  for (let revision = 1; revision <= 300; revision++) await hub.publish({ prefix: `p${revision}/`, revision })
  const queue = async (): Promise<string> => {
    const all = await broker.ctl('list_queues', 'name', 'messages', 'durable', 'arguments')
    return all.split('\n').find((line) => line.startsWith(`${exchange}:`)) ?? ''
  }
  await vi.waitFor(async () => expect(await queue()).toContain(`${exchange}:erd1\t100\ttrue`), PATIENT)
  expect(await queue()).toMatch(/x-expires.*86400000/)
  expect(await queue()).toMatch(/x-message-ttl.*600000/)
  // The newest are those that are kept.
  const heard = hear(await openBus({ exchange }), 'erd1')
  await until(heard, { prefix: 'p300/', revision: 300 })
  expect([...heard.values()].every((revision) => revision > 200)).toBe(true)
})

test('what others send into the exchange is passed over', SLOW, async () => {
  const { url, user, password } = theBroker()
  const exchange = newExchange()
  const node = await openNode('erd1', { exchange })
  const heard = hear(node, 'erd1')
  const raw = new Connection(connectionOptions({ url, user, password, connectionName: 'stranger' }))
  onTestFinished(() => raw.unsafeDestroy())
  const publisher = raw.createPublisher({ confirm: true })
  const to = { exchange, routingKey: 'desired' }
  const junk = [
    'text',
    Buffer.from([0, 255]),
    { prefix: 'desired/', revision: -1 },
    { prefix: 'x/', revision: 1, data: 'x' },
    null,
    [],
  ]
  for (const body of junk) await publisher.send(to, body)
  await publisher.send({ ...to, contentType: 'application/json' }, Buffer.from('{"prefix": '))
  await publisher.send(to, Buffer.alloc(1_000_000, 'x'))
  await publisher.send(to, { prefix: 'desired/', revision: 5 })
  await until(heard, { prefix: 'desired/', revision: 5 })
  expect([...heard]).toEqual([['desired/', 5]])
  await publisher.close()
})

test('quorum queues carry hints too, beside the classic ones of before', SLOW, async () => {
  const exchange = newExchange()
  await (await openNode('erd1', { exchange })).close()
  const node = await openNode('erd1', { exchange, queueType: 'quorum' })
  const heard = hear(node, 'erd1')
  const hub = await openBus({ exchange })
  await hub.publish({ prefix: 'desired/', revision: 1 })
  await until(heard, { prefix: 'desired/', revision: 1 })
})

test('a wrong password is said in words, and shown nowhere', SLOW, async () => {
  const { log, lines } = recorder()
  const bus = await openBus({ password: new Secret('hunter2-hunter2'), log })
  await vi.waitFor(() => expect(bus.health.error).toMatch(/refused|ACCESS_REFUSED/i), PATIENT)
  expect(JSON.stringify([lines, bus.health, bus])).not.toContain('hunter2')
})

test('with TLS, the broker is believed only with a certificate of the right authority', SLOW, async () => {
  const folder = temporaryFolder({})
  const { certificate: cert, key } = selfSigned(folder, 'DNS:localhost')
  const broker = await startBroker({ tls: { cert, key } })
  onTestFinished(async () => await broker.stop())
  const { url, user, password } = broker
  const at = { url, user, password, exchange: 'flotilla' }
  const ca = readFileSync(cert, 'utf8')
  const trusting = await openNode('erd1', { ...at, ca })
  const heard = hear(trusting, 'erd1')
  await trusting.publish({ prefix: 'desired/', revision: 3 })
  await until(heard, { prefix: 'desired/', revision: 3 })
  const wary = await openBus(at)
  await vi.waitFor(() => expect(wary.health.error).toMatch(/certificate/), PATIENT)
})
