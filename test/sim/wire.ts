import type { Bus, Hint } from '../../src/core/bus.ts'
import type { Clock } from '../../src/core/clock.ts'
import { FlotillaError } from '../../src/core/errors.ts'
import type { Op } from '../../src/core/op.ts'
import type { Batch, Commit, Entry, Lease, Listing, Store, Txn, WatchOptions } from '../../src/core/store.ts'
import { sleepQuietly } from '../../src/lib/waiting.ts'
import type { Life } from './life.ts'

/**
 * `up`; `refused`: nothing listens at the other end, which one learns at once; `silent`: everything gets lost, which one
 * learns by waiting.
 */
export type WireState = 'up' | 'refused' | 'silent'

const SILENCE_MS = 15_000
const LATENCY_MS = { min: 1, max: 20 }

/** The network between one node and the hub. */
export class Wire {
  readonly #clock: Clock
  readonly #random: () => number
  #state: WireState = 'up'
  #changed = new AbortController()
  #watches = new AbortController()

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock
    this.#random = random
  }

  get state(): WireState {
    return this.#state
  }

  /** Aborts when the connections that exist now break. */
  get broken(): AbortSignal {
    return this.#watches.signal
  }

  set(state: WireState): void {
    this.#state = state
    this.#changed.abort()
    this.#changed = new AbortController()
    if (state === 'refused') this.breakWatches()
    if (state === 'silent') void this.#loseWatches(this.#changed.signal)
  }

  /** Connections break; new ones are possible at once. */
  breakWatches(): void {
    this.#watches.abort()
    this.#watches = new AbortController()
  }

  /** One way over the wire. */
  async travel(signal?: AbortSignal): Promise<void> {
    const ms = LATENCY_MS.min + this.#random() * (LATENCY_MS.max - LATENCY_MS.min)
    await this.#clock.sleep(ms, signal)
    if (this.#state === 'silent') await this.#silence(signal)
    if (this.#state !== 'up') throw unreachable()
  }

  /** Waits until the wire is up again, or it has taken too long. */
  async #silence(signal?: AbortSignal): Promise<void> {
    const changed = this.#changed.signal
    await sleepQuietly(this.#clock, SILENCE_MS, signal === undefined ? changed : AbortSignal.any([signal, changed]))
    signal?.throwIfAborted()
    if (!changed.aborted) throw unreachable()
  }

  async #loseWatches(changed: AbortSignal): Promise<void> {
    if (await sleepQuietly(this.#clock, SILENCE_MS, changed)) this.breakWatches()
  }
}

function unreachable(): FlotillaError {
  return new FlotillaError('UNREACHABLE', 'the hub does not answer')
}

/** The hub's store at the far end of a wire: a call may fail on its way there, and its answer on the way back. */
export class WiredStore implements Store {
  readonly #store: Store
  readonly #wire: Wire
  readonly #life: Life

  constructor(store: Store, wire: Wire, life: Life) {
    this.#store = store
    this.#wire = wire
    this.#life = life
  }

  async get(key: string, op?: Op): Promise<Entry | undefined> {
    return await this.#call(op, async () => await this.#store.get(key))
  }

  async list(prefix: string, op?: Op): Promise<Listing> {
    return await this.#call(op, async () => await this.#store.list(prefix))
  }

  async commit(txn: Txn, op?: Op): Promise<Commit> {
    return await this.#call(op, async () => await this.#store.commit(txn))
  }

  async *watch(prefix: string, { after, also, signal }: WatchOptions): AsyncGenerator<Batch, void> {
    const { broken } = this.#wire
    try {
      await this.#wire.travel(signal)
      const ended = AbortSignal.any([signal, broken, this.#life.signal])
      for await (const batch of this.#store.watch(prefix, { after, also, signal: ended })) {
        await this.#wire.travel(ended)
        await this.#life.breathe()
        yield batch
      }
    } catch (error) {
      await this.#life.breathe()
      if (signal.aborted) return
      throw broken.aborted ? unreachable() : error
    }
    await this.#life.breathe()
    if (!signal.aborted && broken.aborted) throw unreachable()
  }

  async grantLease(ttlMs: number, op?: Op): Promise<Lease> {
    const { id } = await this.#call(op, async () => await this.#store.grantLease(ttlMs))
    return this.lease(id)
  }

  lease(id: string): Lease {
    const lease = this.#store.lease(id)
    return {
      id,
      renew: async (op) => await this.#call(op, async () => await lease.renew()),
      revoke: async (op) => await this.#call(op, async () => await lease.revoke()),
    }
  }

  async close(): Promise<void> {}

  async #call<T>(op: Op | undefined, work: () => Promise<T>): Promise<T> {
    return await this.#life.effect(async () => {
      await this.#wire.travel(op?.signal)
      await this.#life.breathe()
      const answer = await work()
      await this.#wire.travel(op?.signal)
      return answer
    })
  }
}

/** The bus as one node hears it: not at all while its wire is not up. */
export function wiredBus(bus: Bus, wire: Wire, life: Life): Bus {
  return {
    publish: async (hint) => await bus.publish(hint),
    async *subscribe({ node, signal }): AsyncGenerator<Hint, void> {
      for await (const hint of bus.subscribe({ node, signal: AbortSignal.any([signal, life.signal]) })) {
        if (wire.state === 'up') yield hint
      }
      await life.breathe()
    },
    close: async () => undefined,
  }
}
