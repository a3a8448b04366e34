import { type Bus, type BusHealth, type Hint, mergeHints } from '../../core/bus.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/log.ts'
import { CarriedHints, PREFETCH, WAITING_MAX } from '../../lib/carried-hints.ts'
import type { Secret } from '../../lib/secret.ts'
import type { StompConnection } from '../../lib/stomp/connection.ts'
import type { Frame } from '../../lib/stomp/frame.ts'
import { keepConnected } from '../../lib/stomp/keep-connected.ts'
import type { StompConfig } from './config.ts'
import { queueOf, topicOf, TTL_MS } from './destinations.ts'

export interface StompBusOptions extends Pick<StompConfig, 'url' | 'user' | 'topic'> {
  readonly password: Secret
  /** Certificates in PEM that the broker's is checked against; the system's when absent. */
  readonly ca?: string | undefined
  readonly clock: Clock
  readonly log: Logger
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/** A hint is never larger; what is, is none. */
export const HINT_BYTES_MAX = 4096

type Slot = PromiseWithResolvers<StompConnection | undefined>

/**
 * Hints over a virtual topic of ActiveMQ; each node has a queue of its own, in which they wait, for ten minutes at most, while it is
 * away. They are not persistent: ActiveMQ keeps what is persistent and not fetched in time in its queue of dead letters, which
 * others look after. What a broker forgets that is started anew is told again: the newest hint of each prefix.
 */
export class StompBus implements Bus {
  readonly #options: StompBusOptions
  readonly #hints: CarriedHints
  readonly #nodes = new Set<string>()
  /** The newest of each prefix that was sent. */
  readonly #told = new Map<string, Hint>()
  readonly #running: Promise<unknown>
  /** The present connection, or the next one; undefined once there will be none. */
  #slot: Slot = Promise.withResolvers()
  #present: StompConnection | undefined
  /** Whether the last hint could not be sent although there was a connection. */
  #isRefused = false

  /** Does not wait for the broker, which may come and go at any time: `health` says how it is. */
  constructor(options: StompBusOptions) {
    this.#options = options
    this.#hints = new CarriedHints({ ...options, kind: 'stomp' })
    const use = async (connection: StompConnection): Promise<void> => await this.#use(connection)
    const brokers = { ...options, bodyMax: HINT_BYTES_MAX }
    const staying = keepConnected(brokers, use, (error) => this.#hints.lost(error), this.#hints.closing)
    this.#running = Promise.all([staying, this.#hints.sendAll(async (hint) => await this.#sent(hint))])
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
    if (!signal.aborted && !this.#nodes.has(node)) {
      this.#nodes.add(node)
      // What it fails with ends the connection, and the next one listens as well.
      if (this.#present !== undefined) void this.#listen(this.#present, node).catch(() => undefined)
    }
    return this.#hints.subscribe(signal)
  }

  async close(): Promise<void> {
    this.#hints.close()
    this.#slot.resolve(undefined)
    await this.#running
  }

  async #use(connection: StompConnection): Promise<void> {
    for (const node of this.#nodes) await this.#listen(connection, node)
    connection.over.throwIfAborted()
    connection.over.addEventListener('abort', () => this.#vacate(), { once: true })
    this.#present = connection
    this.#slot.resolve(connection)
    for (const hint of this.#told.values()) this.#hints.publish(hint)
    if (!this.#isRefused) this.#hints.arrived()
  }

  /** The slot of a connection that is over. */
  #vacate(): void {
    this.#present = undefined
    if (!this.#hints.closing.aborted) this.#slot = Promise.withResolvers()
  }

  async #listen(connection: StompConnection, node: string): Promise<void> {
    const destination = queueOf(this.#options, node)
    await connection.subscribe({ destination, prefetch: PREFETCH, take: (frame) => this.#take(frame) })
  }

  #take({ body }: Frame): void {
    this.#hints.take(body === undefined ? undefined : parsed(body))
  }

  /** Waits for a connection where there is none; answers whether the broker has it. */
  async #sent(hint: Hint): Promise<boolean> {
    const connection = await this.#slot.promise
    if (connection === undefined) return false
    const { prefix, revision } = hint
    const expires = String(this.#options.clock.nowMs() + TTL_MS)
    const headers = { expires, 'content-type': 'application/json' }
    try {
      await connection.send(topicOf(this.#options), headers, JSON.stringify({ prefix, revision }))
    } catch (error) {
      this.#isRefused = true
      this.#hints.lost(error)
      return false
    }
    this.#isRefused = false
    this.#hints.arrived()
    this.#remember(hint)
    return true
  }

  #remember(hint: Hint): void {
    const { prefix } = hint
    const before = this.#told.get(prefix)
    this.#told.delete(prefix)
    this.#told.set(prefix, (before && mergeHints(before, hint)) ?? hint)
    const [oldest] = this.#told.keys()
    if (this.#told.size > WAITING_MAX && oldest !== undefined) this.#told.delete(oldest)
  }
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}
