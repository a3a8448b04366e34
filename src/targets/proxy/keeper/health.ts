import type { Clock } from '../../../core/clock.ts'
import type { Logger } from '../../../core/log.ts'
import type { Service } from '../../../core/service.ts'
import { sleepQuietly } from '../../../lib/waiting.ts'

export interface CheckPace {
  readonly everyMs: number
  /** After so many failures in a row a node counts as down, and after so many good answers as up. */
  readonly fall: number
  readonly rise: number
}

/** Where a node's application is. */
export interface Place {
  readonly host: string
  readonly port: number
}

/** Asks one application. */
export interface Asker {
  /** Whether it answers as it should. Never takes longer than it may; a rejection means no. */
  readonly ask: () => Promise<boolean>
  /** What it serves right now, as it says itself; undefined where that is not told. Absent where it has no such list. */
  readonly items?: (() => Promise<ReadonlySet<string> | undefined>) | undefined
  readonly close: () => void
}

export interface HealthOptions {
  readonly name: string
  readonly open: (place: Place) => Asker
  /** What the node is taken to serve. */
  readonly expected: (node: string) => Iterable<string>
  readonly pace: CheckPace
  readonly clock: Clock
  readonly log: Logger
  readonly onChange: () => void
}

/** A first failure is looked into at once: what hangs should cost clients as little as possible. */
const DOUBT_MS = 250
/** Some items are never listed, such as those that need a login: whoever came back so long ago has loaded what it can. */
const LOADING_MS = 600_000

/** Whoever cannot even list what it serves is still starting. */
const NOTHING: ReadonlySet<string> = new Set()

interface Watched {
  readonly place: Place
  readonly stop: AbortController
  isDown: boolean
  /** Answers in a row that speak against `isDown`. */
  against: number
  /** Nothing is known of it yet but what was assumed. */
  isNew: boolean
  /** Since it is back: what it lists, until that is all that is expected. */
  listed: ReadonlySet<string> | undefined
  backAtMs: number
}

/**
 * Asks the application of every node again and again, each in a rhythm of its own, so that none that hangs holds up
 * another. nginx itself notices a dead node only by requests that fail on it, and one that hangs not at all.
 */
export class Health implements Service {
  readonly name: string
  readonly #options: HealthOptions
  readonly #watched = new Map<string, Watched>()
  #running: AbortSignal | undefined

  constructor(options: HealthOptions) {
    this.#options = options
    this.name = `checks of ${options.name}`
  }

  /** Nodes that do not answer. */
  get down(): ReadonlySet<string> {
    return new Set([...this.#watched].filter(([, { isDown }]) => isDown).map(([node]) => node))
  }

  /**
   * By node, for those that are back and have not loaded everything yet: what they serve. What their agents told before
   * they were away proves nothing of it.
   */
  get listed(): ReadonlyMap<string, ReadonlySet<string>> {
    const all = [...this.#watched].map(([node, { listed }]) => [node, listed] as const)
    return new Map(all.filter((one): one is readonly [string, ReadonlySet<string>] => one[1] !== undefined))
  }

  /**
   * From now on these nodes are asked. The first ones count as up until they fail, as they may be serving already; one that
   * comes later counts as down until it answers once.
   */
  follow(places: ReadonlyMap<string, Place>): void {
    const isFirst = this.#watched.size === 0
    for (const [node, watched] of this.#watched) {
      if (isSame(places.get(node), watched.place)) continue
      watched.stop.abort()
      this.#watched.delete(node)
    }
    for (const [node, place] of places) {
      if (this.#watched.has(node)) continue
      const begins = { against: 0, isNew: true, listed: undefined, backAtMs: 0 }
      const watched = { place, stop: new AbortController(), isDown: !isFirst, ...begins }
      this.#watched.set(node, watched)
      if (this.#running !== undefined) void this.#watch(node, watched, this.#running)
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#running = signal
    for (const [node, watched] of this.#watched) void this.#watch(node, watched, signal)
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
    this.#running = undefined
  }

  async #watch(node: string, watched: Watched, signal: AbortSignal): Promise<void> {
    const { open, pace, clock } = this.#options
    const over = AbortSignal.any([signal, watched.stop.signal])
    const asker = open(watched.place)
    over.addEventListener('abort', () => asker.close(), { once: true })
    while (!over.aborted) {
      const startedMs = clock.monotonicMs()
      const isGood = await asker.ask().catch(() => false)
      if (isGood && (watched.isDown || watched.listed !== undefined)) await this.#list(node, watched, asker)
      if (over.aborted) return
      this.#note(node, watched, isGood)
      const isDoubtful = !isGood && !watched.isDown
      const dueMs = isDoubtful ? Math.min(DOUBT_MS, pace.everyMs) : pace.everyMs - (clock.monotonicMs() - startedMs)
      await sleepQuietly(clock, Math.max(dueMs, 0), over)
    }
  }

  async #list(node: string, watched: Watched, asker: Asker): Promise<void> {
    const { clock, expected, onChange } = this.#options
    const nowMs = clock.monotonicMs()
    if (watched.isDown) watched.backAtMs = nowMs
    const isOver = nowMs - watched.backAtMs > LOADING_MS
    const items = isOver ? undefined : await asker.items?.().catch(() => NOTHING)
    const isWhole = items === undefined || [...expected(node)].every((item) => items.has(item))
    const before = watched.listed
    watched.listed = isWhole && !watched.isDown ? undefined : items
    if (!watched.isDown && watched.listed?.size !== before?.size) onChange()
  }

  #note(node: string, watched: Watched, isGood: boolean): void {
    const { pace, log, onChange } = this.#options
    watched.against = isGood === watched.isDown ? watched.against + 1 : 0
    const enough = watched.isDown ? (watched.isNew ? 1 : pace.rise) : pace.fall
    watched.isNew &&= !isGood
    if (watched.against < enough) return
    watched.isDown = !watched.isDown
    watched.against = 0
    watched.isNew = false
    log[watched.isDown ? 'warn' : 'info'](watched.isDown ? 'a node does not answer' : 'a node answers', { node })
    onChange()
  }
}

function isSame(a: Place | undefined, b: Place): boolean {
  return a?.host === b.host && a.port === b.port
}
