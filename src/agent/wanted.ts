import type { Bus, Hint } from '../core/bus.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Lists } from '../core/lists.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import type { Service } from '../core/service.ts'
import type { Store } from '../core/store.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import { Wake } from '../lib/wake.ts'
import { Mirror } from './mirror.ts'
import { concerns, listsOf, type Wanted, type Wish, wishOf } from './wish.ts'

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

const PREFIXES = [keys.desiredOfAll, 'request/', keys.listsOfAll] as const
/** Least time between two lists, whatever number of hints comes in. */
const REFRESH_GAP_MS = 250

/** What is known of one tree, made when somebody asks. */
interface Known {
  wish?: { readonly is: Wish | undefined } | undefined
  lists?: Lists | undefined
  wanted?: Wanted | undefined
  asOf: number
}

/**
 * What the cluster wants of this node, always at hand: some prefixes of the store, followed by one watch; a hint of the bus
 * or the interval makes it list again where the watch is late or dead.
 */
export class WantedFeed {
  readonly #options: WantedOptions
  readonly #mirror: Mirror
  readonly #known: ReadonlyMap<string, Known>
  readonly #stale: Wake<'hint' | 'manual'>

  constructor(options: WantedOptions) {
    this.#options = options
    this.#stale = new Wake(options.clock)
    this.#known = new Map(options.trees.map((tree) => [tree, { asOf: -1 }]))
    this.#mirror = new Mirror({
      store: options.store,
      prefixes: PREFIXES,
      onChange: (changed) => this.#tell(changed),
    })
  }

  /** Undefined while the store has not been reached yet, and while nothing was ever released. The same object until it changes. */
  get(tree: string): Wanted | undefined {
    const known = this.#known.get(tree)
    if (known === undefined || !this.known) return undefined
    const { entries } = this.#mirror
    known.wish ??= { is: wishOf(tree, this.#options.node, entries) }
    if (known.wish.is === undefined) return undefined
    known.lists ??= listsOf(tree, entries)
    known.wanted ??= { ...known.wish.is, lists: known.lists, asOf: known.asOf }
    return known.wanted
  }

  /** Whether the store has been reached since the start. */
  get known(): boolean {
    return this.#mirror.revision !== undefined
  }

  /** Lists everything now. Rejects where the store does not answer. */
  async refresh(op: Op): Promise<void> {
    await this.#mirror.refresh(op)
  }

  /** Lists again soon: for a person who asks. */
  look(): void {
    this.#stale.poke('manual')
  }

  services(): readonly Service[] {
    const { bus } = this.#options
    const services: Service[] = [
      this.#mirror,
      { name: 'refresh', run: async (signal) => await this.#refreshing(signal) },
    ]
    if (bus !== undefined) services.push({ name: 'hints', run: async (signal) => await this.#hearing(bus, signal) })
    return services
  }

  #tell(changed: readonly string[]): void {
    const { node, onChange } = this.#options
    const revision = this.#mirror.revision ?? 0
    for (const [tree, known] of this.#known) {
      const concerning = changed.filter((key) => concerns(key, tree, node))
      // Further than the store itself: it was restored from a copy.
      const isAhead = known.asOf > revision
      if (known.asOf >= 0 && !isAhead && concerning.length === 0) continue
      known.asOf = revision
      known.wanted = undefined
      if (concerning.some((key) => !isOfLists(key))) known.wish = undefined
      if (concerning.some(isOfLists)) known.lists = undefined
      onChange(tree)
    }
  }

  async #hearing(bus: Bus, signal: AbortSignal): Promise<void> {
    for await (const hint of bus.subscribe({ node: this.#options.node, signal })) {
      if (isNews(hint, this.#mirror.revision)) this.#stale.poke('hint')
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

/** Whether a hint speaks of something that the copy does not have yet. */
function isNews(hint: Hint, revision = 0): boolean {
  return (
    hint.revision > revision &&
    PREFIXES.some((prefix) => hint.prefix.startsWith(prefix) || prefix.startsWith(hint.prefix))
  )
}

function isOfLists(key: string): boolean {
  return key.startsWith(keys.listsOfAll)
}
