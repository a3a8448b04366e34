import type { ConsumerProps, PublisherProps } from 'rabbitmq-client'
import type { AmqpConfig } from './config.ts'

/*
 * What is declared on the broker: one topic exchange, and for each node one durable queue that gets everything. Whoever
 * connects declares what it uses, so a broker that lost all of it is set up again by the next connection.
 */

type Exchange = NonNullable<PublisherProps['exchanges']>[number]
type Queue = Pick<ConsumerProps, 'queue' | 'queueOptions'>

/** A hint that is older says nothing that the node's own look in between has not found. */
const TTL_MS = 600_000
/** Of one node; what is over, the oldest first, is dropped. There are never more prefixes than that to tell of. */
const LENGTH_MAX = 100
const BYTES_MAX = 65_536
/** The queue of a node that is away for longer is removed, and made again when it comes back. */
const EXPIRES_MS = 86_400_000

export function exchangeOf({ exchange }: Pick<AmqpConfig, 'exchange'>): Exchange {
  return { exchange, type: 'topic', durable: true }
}

/** The type is part of the name: a queue cannot change it, so another one takes its place, and the old one expires. */
export function queueOf({ exchange, queueType }: Pick<AmqpConfig, 'exchange' | 'queueType'>, node: string): Queue {
  return {
    queue: queueType === 'classic' ? `${exchange}:${node}` : `${exchange}:${node}:${queueType}`,
    queueOptions: {
      durable: true,
      arguments: {
        'x-queue-type': queueType,
        'x-overflow': 'drop-head',
        'x-max-length': LENGTH_MAX,
        'x-max-length-bytes': BYTES_MAX,
        'x-message-ttl': TTL_MS,
        'x-expires': EXPIRES_MS,
      },
    },
  }
}

/** The first part of a prefix, so that others on the broker can bind to what they care for: `desired` of `desired/x`. */
export function routingKeyOf(prefix: string): string {
  return /^[\w-]{1,64}/.exec(prefix)?.[0] ?? 'all'
}

export interface BrokerAddress {
  readonly hostname: string
  readonly port: number
  readonly vhost: string
  readonly isEncrypted: boolean
}

/** In parts, for a URL that also holds the password would end up in messages. */
export function addressOf({ url }: Pick<AmqpConfig, 'url'>): BrokerAddress {
  const { protocol, hostname, port, pathname } = new URL(url)
  const isEncrypted = protocol === 'amqps:'
  const usual = isEncrypted ? 5671 : 5672
  return {
    hostname: hostname.replaceAll(/^\[|\]$/g, ''),
    port: port === '' ? usual : Number(port),
    vhost: decodeURIComponent(pathname.slice(1)) || '/',
    isEncrypted,
  }
}
