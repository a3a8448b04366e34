import type { Clock } from '../core/clock.ts'
import { FlotillaError, isError } from '../core/errors.ts'
import type { FileEntry } from '../core/files/entry.ts'
import type { FileSource } from '../core/files/source.ts'
import { Window } from '../core/sync/window.ts'
import { Backoff } from '../lib/backoff.ts'

const FIRST_PARALLEL = 16
const MAX_PARALLEL = 64
/** Failures in a row after which a source is left alone for a while. */
const FAILURES_TO_REST = 3
const REST = { firstMs: 1000, maxMs: 60_000 } as const
/** When no source has answered anything for so long, the round is given up; the next one goes on. */
const OUTAGE_MS = 30_000
/** Refusals of files that another source lists, after which a source is only asked when it is that one. */
const UNLIKE_MAX = 8

/** One source, and what is known of how it does. */
export interface Lane {
  readonly source: FileSource
  /** Its place among the sources: the number that ETags are remembered with. */
  readonly index: number
}

interface LaneState extends Lane {
  readonly window: Window
  readonly backoff: Backoff
  running: number
  failures: number
  unlike: number
  restUntilMs: number
}

export interface LanesOptions {
  readonly clock: Clock
  readonly random: () => number
  /** How many requests at most, over all sources. */
  readonly concurrent?: number | undefined
}

/** Spreads requests over the sources: as many at once as each bears, none to those that fail. */
export class Lanes {
  readonly #clock: Clock
  readonly #lanes: readonly LaneState[]
  readonly #max: number
  readonly #waiting = new Set<() => void>()
  #running = 0
  #lastGoodMs: number
  #isOut = false

  constructor(sources: readonly FileSource[], { clock, random, concurrent = MAX_PARALLEL }: LanesOptions) {
    this.#clock = clock
    this.#max = concurrent
    this.#lastGoodMs = clock.monotonicMs()
    this.#lanes = sources.map((source, index) => ({
      source,
      index,
      running: 0,
      failures: 0,
      unlike: 0,
      restUntilMs: Number.NEGATIVE_INFINITY,
      window: new Window({ first: Math.min(FIRST_PARALLEL, concurrent), max: concurrent }),
      backoff: new Backoff({ ...REST, random }),
    }))
  }

  /** In the order in which they are to be asked for a listing: as they were given, those that rest last. */
  listers(): readonly Lane[] {
    const nowMs = this.#clock.monotonicMs()
    return this.#lanes.toSorted((a, b) => Number(a.restUntilMs > nowMs) - Number(b.restUntilMs > nowMs))
  }

  /** A new round: what failed before may work again. */
  begin(): void {
    this.#isOut = false
    this.#lastGoodMs = this.#clock.monotonicMs()
    for (const lane of this.#lanes) {
      lane.unlike = 0
      lane.failures = 0
      lane.restUntilMs = Number.NEGATIVE_INFINITY
    }
  }

  /**
   * Runs `use` with a source as soon as one of those that `allows` can bear one more request. Rejects with what `use` rejects with,
   * or with `UNREACHABLE` when none has answered for long.
   */
  async run<T>(
    options: { readonly allows: (lane: Lane) => boolean; readonly signal: AbortSignal },
    use: (lane: Lane) => Promise<T>,
  ): Promise<T> {
    const lane = await this.#acquire(options)
    try {
      const result = await use(lane)
      this.#worked(lane)
      return result
    } catch (error) {
      this.#failed(lane, error)
      throw error
    } finally {
      lane.running -= 1
      this.#running -= 1
      this.#wake()
    }
  }

  /** Whether a source may be asked for a file that `lister` listed. */
  mayHave(lane: Lane, lister: Lane, entry: FileEntry): boolean {
    if (lane.index === lister.index) return true
    const state = this.#lanes[lane.index]
    return state !== undefined && state.unlike < UNLIKE_MAX && isComparable(lane, lister, entry)
  }

  /** It turned out to have another file under that name. */
  isUnlike(lane: Lane): void {
    const state = this.#lanes[lane.index]
    if (state !== undefined) state.unlike += 1
  }

  /** No source has answered for so long that this round is given up. */
  get isOut(): boolean {
    return this.#isOut
  }

  /** The most requests that are good for anything just now. */
  get capacity(): number {
    const sum = this.#lanes.reduce((all, { window }) => all + window.size, 0)
    return Math.min(this.#max, sum)
  }

  async #acquire({ allows, signal }: Parameters<Lanes['run']>[0]): Promise<LaneState> {
    for (;;) {
      signal.throwIfAborted()
      const nowMs = this.#clock.monotonicMs()
      const allowed = this.#lanes.filter((lane) => allows(lane))
      const awake = allowed.filter(({ restUntilMs }) => restUntilMs <= nowMs)
      const free = this.#running < this.#max ? awake.filter(({ running, window }) => running < window.size) : []
      const [best] = free.toSorted((a, b) => a.running / a.window.size - b.running / b.window.size)
      if (best !== undefined) {
        best.running += 1
        this.#running += 1
        return best
      }
      if (awake.length > 0) await this.#freed(signal)
      else await this.#rested(allowed, nowMs, signal)
    }
  }

  async #rested(allowed: readonly LaneState[], nowMs: number, signal: AbortSignal): Promise<void> {
    const names = allowed.map(({ source }) => source.name).join(', ')
    if (nowMs - this.#lastGoodMs > OUTAGE_MS || allowed.length === 0) {
      this.#isOut ||= allowed.length > 0
      throw new FlotillaError('UNREACHABLE', `${names || 'no source'} has not answered for a while`)
    }
    await this.#clock.sleep(Math.min(...allowed.map(({ restUntilMs }) => restUntilMs)) - nowMs, signal)
  }

  async #freed(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.#waiting.add(done)
      signal.addEventListener('abort', done, { once: true })
    })
  }

  #wake(): void {
    const free = Math.max(1, this.capacity - this.#running)
    for (const wake of [...this.#waiting].slice(0, free)) wake()
  }

  #worked(lane: LaneState): void {
    lane.failures = 0
    lane.backoff.reset()
    lane.window.succeeded()
    this.#lastGoodMs = this.#clock.monotonicMs()
  }

  #failed(lane: LaneState, error: unknown): void {
    if (!isError(error, 'UNREACHABLE', 'NOT_READY', 'RATE_LIMITED')) {
      // Whatever it said, it answered.
      if (isError(error, 'CHANGED', 'NOT_FOUND', 'CORRUPT')) this.#lastGoodMs = this.#clock.monotonicMs()
      return
    }
    const nowMs = this.#clock.monotonicMs()
    lane.window.overloaded(nowMs)
    lane.failures += 1
    const { retryAfterMs } = error.details
    if (retryAfterMs !== undefined) lane.restUntilMs = Math.max(lane.restUntilMs, nowMs + retryAfterMs)
    // What fails together, as when a connection breaks, counts once.
    else if (lane.failures % FAILURES_TO_REST === 0 && lane.restUntilMs <= nowMs) {
      lane.restUntilMs = nowMs + lane.backoff.nextMs()
    }
  }
}

/** Whether two sources can tell whether they mean the same content: by a hash, or by ETags that nodes of ours share. */
function isComparable(lane: Lane, lister: Lane, entry: FileEntry): boolean {
  if (entry.sha256 !== undefined || entry.md5 !== undefined) return true
  return lane.source.peer !== undefined && lister.source.peer !== undefined && entry.etag !== ''
}

/** The entry as another source than its lister is asked for it: its ETags are its own, unless both are nodes of ours. */
export function entryFor(lane: Lane, lister: Lane, entry: FileEntry): FileEntry {
  const shared = lane.index === lister.index || (lane.source.peer !== undefined && lister.source.peer !== undefined)
  return shared ? entry : { ...entry, etag: '' }
}
