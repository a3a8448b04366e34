import { Connection } from 'rabbitmq-client'
import { type AmqpBus, connectionOptions, openAmqpBus } from '../../src/bus/amqp/amqp-bus.ts'
import { silent } from '../../src/core/log.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import type { Carrier } from './carrier.ts'
import { type Broker, isBrokerInstalled, startBroker } from './rabbitmq.ts'

export async function openAmqp(
  { url, user, password }: Broker,
  more: Partial<Parameters<typeof openAmqpBus>[0]> = {},
): Promise<AmqpBus> {
  const own = { exchange: 'flotilla', queueType: 'classic', connectionName: 'test', random: Math.random } as const
  return await openAmqpBus({ url, user, password, clock: systemClock, log: silent, ...own, ...more })
}

export const amqpCarrier: Carrier<Broker> = {
  kind: 'amqp',
  isInstalled: isBrokerInstalled,
  start: startBroker,
  open: async (broker, exchange, options) => await openAmqp(broker, { exchange, ...options }),
  waiting: async (broker, exchange, node) => {
    const lines = (await broker.ctl('list_queues', 'name', 'messages')).split('\n')
    return Number(lines.find((line) => line.startsWith(`${exchange}:${node}\t`))?.split('\t')[1] ?? 0)
  },
  shout: async ({ url, user, password }, exchange, bodies) => {
    const stranger = new Connection(connectionOptions({ url, user, password, connectionName: 'stranger' }))
    const publisher = stranger.createPublisher({ confirm: true })
    const to = { exchange, routingKey: 'desired' }
    for (const body of [Buffer.from([0, 255]), null, [], { prefix: 'x/', revision: 1, data: 'x' }, ...bodies])
      await publisher.send(to, body)
    for (const body of bodies) await publisher.send({ ...to, contentType: 'application/json' }, Buffer.from(body))
    await publisher.close()
    await stranger.close()
  },
  words: { refused: /refused|ACCESS_REFUSED/i, silent: /heartbeat|timed? ?out|silent/i },
}
