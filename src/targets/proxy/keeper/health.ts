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
  readonly close: () => void
}

export interface HealthOptions {
  readonly name: string
  readonly open: (place: Place) => Asker
  readonly pace: CheckPace
  readonly clock: Clock
  readonly log: Logger
  readonly onChange: () => void
}

/** A first failure is looked into at once: what hangs should cost clients as little as possible. */
const DOUBT_MS = 250

interface Watched {
  readonly place: Place
  readonly stop: AbortController
  isDown: boolean
  /** Answers in a row that speak against `isDown`. */
  against: number
  /** Nothing is known of it yet but what was assumed. */
  isNew: boolean
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
      const watched = { place, stop: new AbortController(), isDown: !isFirst, against: 0, isNew: true }
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
      if (over.aborted) return
      this.#note(node, watched, isGood)
      const isDoubtful = !isGood && !watched.isDown
      const dueMs = isDoubtful ? Math.min(DOUBT_MS, pace.everyMs) : pace.everyMs - (clock.monotonicMs() - startedMs)
      await sleepQuietly(clock, Math.max(dueMs, 0), over)
    }
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
