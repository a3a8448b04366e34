import type { Bus, Hint } from '../core/bus.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import type { Desired, PendingRequest, Request } from '../core/release.ts'
import type { Service } from '../core/service.ts'
import type { Entry, Store } from '../core/store.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import { Mirror } from './mirror.ts'
import { Wake } from './wake.ts'

/** What this node should do about one tree. */
export interface Wanted {
  readonly desired: Desired
  /** Oldest first. */
  readonly requests: readonly PendingRequest[]
}

export interface WantedOptions {
  readonly node: string
  readonly trees: readonly string[]
  readonly store: Store
  readonly bus?: Bus | undefined
  readonly clock: Clock
  readonly log: Logger
  readonly random: () => number
  /** How often everything is listed again although nothing was heard. */
  readonly intervalMs: number
  readonly onChange: (tree: string) => void
}

const DESIRED = keys.desired('')
const REQUEST = 'request/'
/** Least time between two lists, whatever number of hints comes in. */
const REFRESH_GAP_MS = 250

/**
 * What the cluster wants of this node, always at hand: two prefixes of the store, followed by watch; a hint of the bus
 * or the interval makes it list again where a watch is late or dead.
 */
export class WantedFeed {
  readonly #options: WantedOptions
  readonly #desired: Mirror
  readonly #requests: Mirror
  readonly #stale: Wake<'hint' | 'manual'>
  #wasKnown = false

  constructor(options: WantedOptions) {
    this.#options = options
    this.#stale = new Wake(options.clock)
    const mirror = (prefix: string, treeOf: (key: string) => string): Mirror =>
      new Mirror({
        store: options.store,
        prefix,
        onChange: (changed) => this.#tell(changed.map(treeOf)),
      })
    this.#desired = mirror(DESIRED, (key) => key.slice(DESIRED.length))
    this.#requests = mirror(REQUEST, (key) => key.split('/')[1] ?? '')
  }

  /** Undefined while the store has not been reached yet, and while nothing was ever released. */
  get(tree: string): Wanted | undefined {
    const entry = this.#desired.entries.get(keys.desired(tree))
    if (!this.known || entry === undefined) return undefined
    const desired = parse(entry, isDesired)
    return desired === undefined ? undefined : { desired, requests: this.#requestsOf(tree) }
  }

  /** Whether the store has been reached since the start. */
  get known(): boolean {
    return this.#desired.revision !== undefined && this.#requests.revision !== undefined
  }

  /** Lists everything now. Rejects where the store does not answer. */
  async refresh(op: Op): Promise<void> {
    await Promise.all([this.#desired.refresh(op), this.#requests.refresh(op)])
  }

  /** Lists again soon: for a person who asks. */
  look(): void {
    this.#stale.poke('manual')
  }

  services(): readonly Service[] {
    const { bus } = this.#options
    const services: Service[] = [
      this.#desired,
      this.#requests,
      { name: 'refresh', run: async (signal) => await this.#refreshing(signal) },
    ]
    if (bus !== undefined) services.push({ name: 'hints', run: async (signal) => await this.#hearing(bus, signal) })
    return services
  }

  #requestsOf(tree: string): readonly PendingRequest[] {
    const requests: PendingRequest[] = []
    for (const entry of this.#requests.entries.values()) {
      if (!entry.key.startsWith(keys.requests(tree))) continue
      const request = parse(entry, isRequest)
      if (request !== undefined) requests.push({ ...request, generation: entry.revision })
    }
    return requests.toSorted((a, b) => a.generation - b.generation)
  }

  #tell(changed: readonly string[]): void {
    if (!this.known) return
    const { trees, onChange } = this.#options
    for (const tree of trees) if (!this.#wasKnown || changed.includes(tree)) onChange(tree)
    this.#wasKnown = true
  }

  async #hearing(bus: Bus, signal: AbortSignal): Promise<void> {
    for await (const hint of bus.subscribe({ node: this.#options.node, signal })) {
      if (isNews(hint, this.#desired, DESIRED) || isNews(hint, this.#requests, REQUEST)) this.#stale.poke('hint')
    }
  }

  async #refreshing(signal: AbortSignal): Promise<void> {
    const { clock, log, random, intervalMs } = this.#options
    while (!signal.aborted) {
      await this.#stale.wait({ ms: intervalMs * (0.9 + 0.2 * random()), signal })
      if (signal.aborted) return
      try {
        await this.refresh({ signal })
      } catch (error) {
        // The watches say loudly enough that the store cannot be reached.
        log.debug('could not list again', { error: messageOf(error) })
      }
      await sleepQuietly(clock, REFRESH_GAP_MS, signal)
    }
  }
}

/** Whether a hint speaks of something under `prefix` that the copy does not have yet. */
function isNews(hint: Hint, copy: Mirror, prefix: string): boolean {
  const concerns = hint.prefix.startsWith(prefix) || prefix.startsWith(hint.prefix)
  return concerns && hint.revision > (copy.revision ?? 0)
}

/** Only the hub writes these keys. One that cannot be read is as good as absent: the last good state stays. */
function parse<T>(entry: Entry, is: (value: Partial<T>) => value is T): T | undefined {
  try {
    const value = JSON.parse(entry.value) as Partial<T> | null
    return value !== null && is(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isDesired(value: Partial<Desired>): value is Desired {
  return Number.isSafeInteger(value.release) && typeof value.manifest === 'string'
}

function isRequest(value: Partial<Request>): value is Request {
  return (value.kind === 'reload' || value.kind === 'clear-cache') && typeof value.item === 'string'
}
