import { afterAll, beforeAll, expect, onTestFinished, vi } from 'vitest'
import type { Bus, BusHealth, Hint } from '../../src/core/bus.ts'
import type { Clock } from '../../src/core/clock.ts'
import type { Logger } from '../../src/core/log.ts'
import type { Secret } from '../../src/lib/secret.ts'

/** A real message broker, with everything of its own. */
export interface RealBroker {
  readonly url: string
  readonly user: string
  readonly password: Secret
  /** As if its plug were pulled. */
  kill(): Promise<void>
  /** After `kill`. Resolves when it takes connections. */
  restart(): Promise<void>
  /** Connections stay open, and nobody answers. */
  freeze(): void
  thaw(): void
  stop(): Promise<void>
}

/** A bus over a broker. */
export interface CarriedBus extends Bus {
  readonly health: BusHealth
}

/** What every bus over a broker can be told. */
export interface CarriedOptions {
  readonly url?: string
  readonly user?: string
  readonly password?: Secret
  readonly ca?: string
  readonly clock?: Clock
  readonly log?: Logger
}

/** One kind of broker with the bus over it: what tests of all of them need to know of each. */
export interface Carrier<Broker extends RealBroker> {
  /** As configurations call it. */
  readonly kind: 'amqp' | 'stomp'
  isInstalled(): boolean
  /** Takes TLS only where that is given; paths of PEM files. */
  start(options?: { readonly tls?: { readonly certificate: string; readonly key: string } }): Promise<Broker>
  /** `channel` is the exchange, or the topic. */
  open(broker: Broker, channel: string, options: CarriedOptions): Promise<CarriedBus>
  /** How many hints wait for a node. */
  waiting(broker: Broker, channel: string, node: string): Promise<number>
  /** Somebody else sends there what is no hint, in whatever form the broker takes, and these bodies in JSON last. */
  shout(broker: Broker, channel: string, bodies: readonly string[]): Promise<void>
  /** What is said of a wrong password, and of a broker that stands still. */
  readonly words: { readonly refused: RegExp; readonly silent: RegExp }
}

export const PATIENT = { timeout: 60_000, interval: 20 }

let count = 0

/** One broker for the tests of a file, and buses over it that are closed with their test. */
export class Carried<Broker extends RealBroker> {
  readonly carrier: Carrier<Broker>
  #broker: Broker | undefined

  constructor(carrier: Carrier<Broker>) {
    this.carrier = carrier
    beforeAll(async () => {
      if (carrier.isInstalled()) this.#broker = await carrier.start()
    }, 150_000)
    afterAll(async () => await this.#broker?.stop())
  }

  get broker(): Broker {
    if (this.#broker === undefined) throw new Error('there is no broker')
    return this.#broker
  }

  /** Below `flotilla`, which the user of the bus may use. */
  newChannel(): string {
    return `flotilla.t${++count}`
  }

  async open(channel: string, options: CarriedOptions = {}): Promise<CarriedBus> {
    const bus = await this.carrier.open(this.broker, channel, options)
    onTestFinished(async () => await bus.close())
    return bus
  }

  /** A bus as a node has it, with its queue in place. */
  async openNode(node: string, channel: string, options: CarriedOptions = {}): Promise<CarriedBus> {
    return await listening(await this.open(channel, options), node)
  }

  async waiting(channel: string, node: string): Promise<number> {
    return await this.carrier.waiting(this.broker, channel, node)
  }
}

export async function listening<B extends CarriedBus>(bus: B, node: string): Promise<B> {
  bus.subscribe({ node, signal: new AbortController().signal })
  await connected(bus)
  return bus
}

export async function connected(bus: CarriedBus): Promise<void> {
  await vi.waitFor(() => expect(bus.health).toMatchObject({ state: 'connected' }), PATIENT)
}

export async function away(bus: CarriedBus, error: RegExp): Promise<void> {
  const words: unknown = expect.stringMatching(error)
  await vi.waitFor(() => expect(bus.health).toMatchObject({ state: 'away', error: words }), PATIENT)
}

/** The newest revision heard of each prefix. */
export function hear(bus: Bus, node: string): ReadonlyMap<string, number> {
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

export async function until(heard: ReadonlyMap<string, number>, { prefix, revision }: Hint): Promise<void> {
  await vi.waitFor(() => expect(heard.get(prefix)).toBe(revision), PATIENT)
}
