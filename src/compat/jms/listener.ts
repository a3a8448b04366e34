import type { BusHealth } from '../../core/bus.ts'
import type { Clock } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import type { Service } from '../../core/service.ts'
import { BrokerHealth } from '../../lib/broker-health.ts'
import { cleanLine } from '../../lib/clean.ts'
import type { Secret } from '../../lib/secret.ts'
import type { StompConnection } from '../../lib/stomp/connection.ts'
import type { Frame } from '../../lib/stomp/frame.ts'
import { keepConnected } from '../../lib/stomp/keep-connected.ts'
import { quotePart } from '../../lib/stomp/quote-part.ts'
import { type Change, readChange } from './change.ts'

export interface JmsListenerOptions {
  /** Addresses of brokers with commas between, of which one is used at a time. */
  readonly url: string
  readonly user: string
  /** `topicName` and `group` of the cluster.properties. */
  readonly topic: string
  readonly group: string
  readonly password: Secret
  /** Certificates in PEM that the broker's is checked against; the system's when absent. */
  readonly ca?: string | undefined
  /** Whose listener it is: its queue is named after it. */
  readonly node: string
  readonly clock: Clock
  readonly log: Logger
  /** Uniform in [0, 1). */
  readonly random: () => number
  /**
   * Called for each message of the group, also for one of which nothing more is known. One may come again after the broker was
   * started anew. Must not throw.
   */
  readonly onSignal: (signal: JmsSignal) => void
}

/** A GeoServer of the cluster said that it changed something: look again. */
export interface JmsSignal {
  /** Its `instanceName`. */
  readonly instance: string
  readonly group: string
  /** What is to take the message on the other nodes, such as `JMSCatalogAddEventHandlerSPI`. */
  readonly handler: string
  /** When it was sent, by the sender's clock, in milliseconds since the epoch. */
  readonly at: number
  /** Undefined where the body could not be read. */
  readonly change: Change | undefined
}

export interface JmsStatus {
  readonly broker: BusHealth
  /** Whether the broker gives bodies, so that it is known what changed; undefined before the first connection. */
  readonly tellsWhat: boolean | undefined
  readonly signals: number
  /** Passed over: of other groups, or without what every message of GeoServer has. */
  readonly foreign: number
  /** Signals with a body that is too large, or that could not be made sense of. */
  readonly unreadable: number
}

export const LACKS_XSTREAM =
  'Install libxstream-java on the broker, link xstream.jar and xpp3.jar into lib/extra of its base folder, and start it again.'

/** A style with its SLD is some 100 kB; what is larger is read past. */
const BODY_MAX = 4 * 1024 * 1024
const PREFETCH = 10
const NAME_MAX = 128
/** ActiveMQ turns an object of Java into XML for who asks for it so. */
export const AS_XML = { transformation: 'jms-object-xml' } as const

/**
 * Listens to the messages of GeoServer's JMS extension, through a queue of its own: nothing is taken from the cluster's nodes.
 * Of their headers, which hold all of cluster.properties, nothing is kept but who, of which group, for which handler, and when.
 */
export class JmsListener implements Service {
  readonly name = 'jms cluster'
  readonly #options: JmsListenerOptions
  readonly #health: BrokerHealth
  #counts = { signals: 0, foreign: 0, unreadable: 0 }
  #tellsWhat: boolean | undefined
  #asksForXml = true

  constructor(options: JmsListenerOptions) {
    this.#options = options
    this.#health = new BrokerHealth({ kind: 'stomp', clock: options.clock, log: options.log })
  }

  get status(): JmsStatus {
    return { ...this.#counts, broker: this.#health.now, tellsWhat: this.#tellsWhat }
  }

  async run(signal: AbortSignal): Promise<void> {
    const lost = (error: unknown): void => (signal.aborted ? undefined : this.#health.lost(error))
    const options = { ...this.#options, bodyMax: BODY_MAX }
    await keepConnected(options, async (connection) => await this.#listen(connection), lost, signal)
  }

  /** Facts: without libxstream, ActiveMQ closes the connection of who asks for XML. Then bodies are empty, and headers come. */
  async #listen(connection: StompConnection): Promise<void> {
    const { topic, node, log } = this.#options
    const destination = `/queue/Consumer.flotilla-${quotePart(node)}.${topic}`
    const asksForXml = this.#asksForXml
    // Should this end the connection, the next one tries the other way.
    this.#asksForXml = !asksForXml
    const headers = asksForXml ? AS_XML : {}
    await connection.subscribe({ destination, headers, prefetch: PREFETCH, take: (message) => this.#take(message) })
    this.#asksForXml = true
    this.#tellsWhat = asksForXml
    this.#health.arrived()
    if (!asksForXml) log.warn('the broker cannot tell what changed in the JMS cluster', { hint: LACKS_XSTREAM })
  }

  #take({ headers, body }: Frame): void {
    const { group, clock, onSignal } = this.#options
    const named = (name: string): string => cleanLine(headers.get(name) ?? '').slice(0, NAME_MAX)
    const [instance, handler] = [named('instanceName'), named('JMSEventHandlerSPI')]
    if (headers.get('group') !== group || instance === '' || handler === '') {
      this.#counts.foreign++
      return
    }
    const sentMs = Number(headers.get('timestamp'))
    const at = Number.isSafeInteger(sentMs) && sentMs > 0 ? sentMs : clock.nowMs()
    const change = this.#changeIn(body, instance)
    this.#counts.signals++
    if (change !== undefined)
      this.#options.log.info('a GeoServer of the JMS cluster made a change', { instance, ...change })
    onSignal({ instance, group, handler, at, change })
  }

  #changeIn(body: Buffer | undefined, instance: string): Change | undefined {
    if (body?.byteLength === 0) return undefined
    try {
      if (body !== undefined) return readChange(body.toString('utf8'))
      this.#options.log.warn('a message of the JMS cluster is too large to be read', { instance })
    } catch (error) {
      this.#options.log.warn('a message of the JMS cluster cannot be read', { instance, error: messageOf(error) })
    }
    this.#counts.unreadable++
    return undefined
  }
}
