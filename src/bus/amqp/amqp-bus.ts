import type { Connection, Consumer, Publisher } from 'rabbitmq-client'
import type { Bus, BusHealth, Hint } from '../../core/bus.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { RETRY_MS } from '../../lib/broker-health.ts'
import { CarriedHints, PREFETCH } from '../../lib/carried-hints.ts'
import type { Secret } from '../../lib/secret.ts'
import { sleepQuietly } from '../../lib/waiting.ts'
import type { AmqpConfig } from './config.ts'
import { addressOf, exchangeOf, queueOf, routingKeyOf } from './topology.ts'

export interface AmqpBusOptions extends Pick<AmqpConfig, 'url' | 'user' | 'exchange' | 'queueType'> {
  readonly password: Secret
  /** Certificates in PEM that the broker's is checked against; the system's when absent. */
  readonly ca?: string | undefined
  /** What the broker's operators see this connection as: `flotilla hub`. */
  readonly connectionName: string
  readonly clock: Clock
  readonly log: Logger
  /** Uniform in [0, 1). */
  readonly random: () => number
}

const CONNECT_MS = 5000
/** A broker that stands still counts as gone after twice this. */
const HEARTBEAT_S = 10
const CLOSE_MS = 2000

/** A bus over a broker. Does not wait for the broker, which may come and go at any time: `health` says how it is. */
export async function openAmqpBus(options: AmqpBusOptions): Promise<AmqpBus> {
  const { Connection } = await import('rabbitmq-client')
  return new AmqpBus(options, new Connection(connectionOptions(options)))
}

/** Also for a look at a broker by itself, without a bus. */
export function connectionOptions(
  options: Omit<AmqpBusOptions, 'exchange' | 'queueType' | 'clock' | 'log' | 'random'>,
) {
  const { user, password, ca, connectionName } = options
  const { hostname, port, vhost, isEncrypted } = addressOf(options)
  return {
    hostname,
    port,
    vhost,
    username: user,
    password: password.reveal(),
    ...(isEncrypted && { tls: ca === undefined ? true : { ca } }),
    connectionName,
    connectionTimeout: CONNECT_MS,
    heartbeat: HEARTBEAT_S,
    retryLow: RETRY_MS.low,
    retryHigh: RETRY_MS.high,
    noDelay: true,
  }
}

/**
 * Hints over a topic exchange; each node has a durable queue of its own, bounded in length and age, so that hints wait for a
 * node that is away a moment, and nothing piles up for one that is away for ever. While the broker is away, the newest hint of
 * each prefix waits here. A hint counts as sent when the broker has confirmed it, and otherwise is sent again: it may
 * arrive twice, and after one that is newer.
 */
export class AmqpBus implements Bus {
  readonly #options: AmqpBusOptions
  readonly #connection: Connection
  readonly #publisher: Publisher
  readonly #consumers = new Map<string, Consumer>()
  readonly #hints: CarriedHints

  constructor(options: AmqpBusOptions, connection: Connection) {
    this.#options = options
    this.#connection = connection
    this.#hints = new CarriedHints({ ...options, kind: 'amqp' })
    this.#publisher = connection.createPublisher({ confirm: true, exchanges: [exchangeOf(options)] })
    connection.on('connection', () => {
      // A node is served again only when its queue is.
      if (this.#consumers.size === 0) this.#hints.arrived()
    })
    connection.on('error', (error) => this.#hints.lost(error))
    void this.#hints.sendAll(async (hint) => await this.#sent(hint))
  }

  /** Whether this side can do its work just now: a hub tell, a node be told. */
  get health(): BusHealth {
    return this.#hints.health
  }

  async publish(hint: Hint): Promise<void> {
    this.#hints.publish(hint)
  }

  /** Yields what waited in the node's queue too. */
  subscribe({ node, signal }: { readonly node: string; readonly signal: AbortSignal }): AsyncIterable<Hint> {
    if (!signal.aborted && !this.#hints.closing.aborted && !this.#consumers.has(node)) this.#listen(node)
    return this.#hints.subscribe(signal)
  }

  async close(): Promise<void> {
    if (this.#hints.closing.aborted) return
    this.#hints.close()
    const patience = new AbortController()
    // What the broker does not answer in time is cut off: it gives again what it thinks was not taken.
    if (this.#connection.ready)
      await Promise.race([this.#goodbye(), sleepQuietly(this.#options.clock, CLOSE_MS, patience.signal)])
    patience.abort()
    this.#connection.unsafeDestroy()
  }

  #listen(node: string): void {
    const { exchange } = this.#options
    const consumer = this.#connection.createConsumer(
      {
        ...queueOf(this.#options, node),
        exchanges: [exchangeOf(this.#options)],
        queueBindings: [{ exchange, routingKey: '#' }],
        qos: { prefetchCount: PREFETCH },
      },
      ({ body }) => this.#hints.take(body),
    )
    consumer.on('ready', () => this.#hints.arrived())
    consumer.on('error', (error) => this.#hints.lost(error))
    this.#consumers.set(node, consumer)
  }

  /** Whether the broker confirmed it. */
  async #sent({ prefix, revision }: Hint): Promise<boolean> {
    const { exchange } = this.#options
    try {
      await this.#publisher.send({ exchange, routingKey: routingKeyOf(prefix), durable: true }, { prefix, revision })
      if (this.#consumers.size === 0) this.#hints.arrived()
      return true
    } catch (error) {
      this.#hints.lost(error)
      return false
    }
  }

  async #goodbye(): Promise<void> {
    const closing = [...this.#consumers.values(), this.#publisher].map(async (part) => await part.close())
    await Promise.allSettled(closing)
    await this.#connection.close()
  }
}
