import type { ConnectionOptions, ConsumerProps, Publisher } from 'rabbitmq-client'
import { messageOf } from '../../core/errors.ts'
import type { Service } from '../../core/service.ts'
import type { Secret } from '../../lib/secret.ts'
import type { BridgeDeps, Incoming } from './bridge.ts'
import { type Peer, teller } from './teller.ts'
import { readMessage, signMessage } from './wire.ts'

export interface AmqpBridge {
  readonly incoming: Incoming
  readonly connection: ConnectionOptions
  readonly exchange: string
  /** As it is there already, or is to be declared: ERDDAPUtil works with either, and declares none. */
  readonly exchangeType: 'topic' | 'direct'
  readonly cluster: string
  readonly secret: Secret
}

const GLOBAL = 'erddap.global'
/** What waits while this hub is away; ERDDAPUtil's own queues have no bounds. */
const BOUNDS = { 'x-max-length': 1000, 'x-max-length-bytes': 4 * 1024 * 1024, 'x-overflow': 'drop-head' } as const

/** Its exchange and its queues on a broker. Versions as shipped send there, and hear nothing. */
export function amqpBridge(options: AmqpBridge, deps: BridgeDeps): Service {
  const complain = (error: unknown): void =>
    deps.log.warn("ERDDAPUtil's broker cannot be used", { error: messageOf(error) })
  return {
    name: 'erddaputil broker',
    run: async (signal) => {
      const { Connection } = await import('rabbitmq-client')
      const connection = new Connection(options.connection)
      connection.on('error', complain)
      const consumer = connection.createConsumer(consumerOf(options, deps.hostname), async ({ body }) => {
        await take(body, options, deps, signal)
      })
      consumer.on('error', complain)
      const publisher = connection.createPublisher({ confirm: true, exchanges: [exchangeOf(options)] })
      try {
        await teller(peerOf(publisher, options), deps).run(signal)
      } finally {
        await Promise.allSettled([consumer.close(), publisher.close()])
        connection.unsafeDestroy()
      }
    },
  }
}

function exchangeOf({ exchange, exchangeType: type }: AmqpBridge) {
  return { exchange, type, durable: true }
}

function clusterKey({ cluster }: AmqpBridge): string {
  return `erddap.cluster.${cluster}`
}

function consumerOf(options: AmqpBridge, hostname: string): ConsumerProps {
  const { exchange, cluster } = options
  return {
    queue: `erddap_${cluster}_${hostname}`,
    queueOptions: { durable: true, arguments: BOUNDS },
    exchanges: [exchangeOf(options)],
    queueBindings: [clusterKey(options), GLOBAL].map((routingKey) => ({ exchange, routingKey })),
    // One after the other, as they were sent.
    concurrency: 1,
    qos: { prefetchCount: 10 },
  }
}

/** Whatever it is, it is taken from the queue: what is wrong once is wrong again. */
async function take(
  body: unknown,
  { secret, incoming }: AmqpBridge,
  { log }: BridgeDeps,
  signal: AbortSignal,
): Promise<void> {
  const token = typeof body === 'string' ? body : Buffer.isBuffer(body) ? body.toString('latin1') : ''
  try {
    await incoming.take(readMessage(token, secret), signal)
  } catch (error) {
    log.warn('a message of no use came over the broker of ERDDAPUtil', { error: messageOf(error) })
  }
}

function peerOf(publisher: Publisher, options: AmqpBridge): Peer {
  const { exchange, secret } = options
  return {
    name: `${exchange} ${clusterKey(options)}`,
    send: async (message) => {
      const properties = { exchange, routingKey: clusterKey(options), contentType: 'text/plain', durable: false }
      await publisher.send(properties, signMessage(message, secret))
    },
  }
}
