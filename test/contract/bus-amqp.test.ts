import { expect, onTestFinished, vi } from 'vitest'
import type { AmqpBus } from '../../src/bus/amqp/amqp-bus.ts'
import { amqpCarrier, openAmqp } from '../helpers/amqp-carrier.ts'
import { Carried, connected, hear, listening, PATIENT, until } from '../helpers/carrier.ts'
import { recorder } from '../helpers/hub.ts'
import { needs } from '../helpers/needs.ts'
import { carriedBusContract } from './carried-bus.ts'

const test = await needs({ tools: ['rabbitmq-server', 'openssl'] })
const SLOW = { timeout: 150_000 }
const carried = new Carried(amqpCarrier)

carriedBusContract(carried, test)

test('a queue that is deleted under its node is made again', SLOW, async () => {
  const { broker } = carried
  const exchange = carried.newChannel()
  const { log, lines } = recorder()
  const node = await carried.openNode('erd1', exchange, { log })
  const hub = await carried.open(exchange)
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
  const { broker } = carried
  const exchange = carried.newChannel()
  const away = await carried.openNode('erd1', exchange)
  await away.close()
  const hub = await carried.open(exchange)
  for (let revision = 1; revision <= 300; revision++) await hub.publish({ prefix: `p${revision}/`, revision })
  const queue = async (): Promise<string> => {
    const all = await broker.ctl('list_queues', 'name', 'messages', 'durable', 'arguments')
    return all.split('\n').find((line) => line.startsWith(`${exchange}:`)) ?? ''
  }
  await vi.waitFor(async () => expect(await queue()).toContain(`${exchange}:erd1\t100\ttrue`), PATIENT)
  expect(await queue()).toMatch(/x-expires.*86400000/)
  expect(await queue()).toMatch(/x-message-ttl.*600000/)
  // The newest are those that are kept.
  const heard = hear(await carried.open(exchange), 'erd1')
  await until(heard, { prefix: 'p300/', revision: 300 })
  expect([...heard.values()].every((revision) => revision > 200)).toBe(true)
})

test('quorum queues carry hints too, beside the classic ones of before', SLOW, async () => {
  const exchange = carried.newChannel()
  await (await carried.openNode('erd1', exchange)).close()
  const bus: AmqpBus = await openAmqp(carried.broker, { exchange, queueType: 'quorum' })
  onTestFinished(async () => await bus.close())
  const node = await listening(bus, 'erd1')
  const heard = hear(node, 'erd1')
  const hub = await carried.open(exchange)
  await hub.publish({ prefix: 'desired/', revision: 1 })
  await until(heard, { prefix: 'desired/', revision: 1 })
})
