import type { Clock } from '../core/clock.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import type { Service } from '../core/service.ts'
import { type Expectation, STORE_LIMITS, type Store } from '../core/store.ts'
import type { ItemState, NodeDatasets, NodeLoads, NodeTarget, TargetReport } from '../core/target.ts'
import { sleepQuietly, withDeadline } from '../lib/waiting.ts'
import { Wake } from '../lib/wake.ts'

export interface ReporterOptions {
  readonly node: string
  readonly store: Store
  readonly clock: Clock
  /** What every commit expects, so that only the holder of the node's name speaks for it; undefined means not now. */
  readonly fence: () => Expectation | undefined
  /** Called when a commit lost against the fence. */
  readonly onLost: () => void
  /** Called when the store is at an older revision than what a report took account of: it was restored from a copy. */
  readonly onOlder: () => void
}

/** The newest value of one key. What it replaces before it was written was never news to anybody. */
interface Topic {
  readonly key: string
  readonly value: string
  /** Equal digests need no second write: the value without its time. */
  readonly digest: string
  /** Least time since the last write of this key. */
  readonly gapMs: number
  /** Not before, on the monotonic clock. */
  readonly fromMs: number
  /** The revision that it takes account of. */
  readonly asOf?: number | undefined
}

const TROUBLED_MAX = 100
/** While the application loads, progress changes at every look: the small key may follow it, the large one slowly. */
const LOADING_GAP_MS = { target: 1000, datasets: 5000, loads: 30_000 }
/**
 * What is only under way may be over in a moment; and when all nodes take up a release together, the last of them are
 * still at it then.
 */
const UNDER_WAY_MS = 250
const COMMIT_GAP_MS = 100
const FLUSH_MS = 2000
const IDLE_MS = 3_600_000

/**
 * Tells the cluster what this node staged, applied and serves. Equal reports are written once, a growing progress now
 * and then, and the last state always: it waits here until the store has taken it.
 */
export class Reporter implements Service {
  readonly name = 'report'
  readonly #options: ReporterOptions
  readonly #topics = new Map<string, Topic>()
  readonly #written = new Map<string, { readonly digest: string; readonly atMs: number }>()
  readonly #news: Wake<'news'>

  constructor(options: ReporterOptions) {
    this.#options = options
    this.#news = new Wake(options.clock)
  }

  /** `asOf`: the revision of the store up to which the report takes account of what is wanted. */
  update(tree: string, kind: string, report: TargetReport, asOf?: number): void {
    const { node, clock } = this.#options
    const gaps = report.state === 'pending' ? LOADING_GAP_MS : { target: 0, datasets: 0, loads: 1000 }
    const isUnderWay = report.state === 'pending' || report.state === 'unproved'
    const fromMs = clock.monotonicMs() + (isUnderWay ? UNDER_WAY_MS : 0)
    const target = targetOf(kind, report, asOf)
    const value = JSON.stringify({ ...target, atMs: clock.nowMs() } satisfies NodeTarget)
    this.#put({ key: keys.target(node, tree), value, digest: JSON.stringify(target), gapMs: gaps.target, fromMs, asOf })
    const datasets = datasetsOf(report)
    this.#put({ key: keys.datasets(node, tree), value: datasets, digest: datasets, gapMs: gaps.datasets, fromMs })
    if (report.loads === undefined) return
    const loads = JSON.stringify({ items: report.loads } satisfies NodeLoads)
    this.#put({ key: keys.loads(node, tree), value: loads, digest: loads, gapMs: gaps.loads, fromMs })
  }

  /** Anything else that this node says of itself. What differs in `atMs` alone is not said again. */
  tell(key: string, value: { readonly atMs: number }): void {
    const digest = JSON.stringify({ ...value, atMs: 0 })
    this.#put({ key, value: JSON.stringify(value), digest, gapMs: 0, fromMs: this.#options.clock.monotonicMs() })
  }

  /** Writes everything again: the store may have forgotten it. */
  repeat(): void {
    this.#written.clear()
    this.#news.poke('news')
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const waitMs = this.#dueInMs()
      if (waitMs > 0) {
        await this.#news.wait({ ms: waitMs, signal })
        continue
      }
      const due = this.#changed().filter((topic) => this.#dueMs(topic) <= this.#options.clock.monotonicMs())
      await this.#commit(due, { signal })
      await sleepQuietly(this.#options.clock, COMMIT_GAP_MS, signal)
    }
  }

  /** Writes at once what is left. Rejects where the store does not take it within two seconds. */
  async flush(): Promise<void> {
    const left = this.#changed()
    if (left.length === 0) return
    await withDeadline(this.#options.clock, FLUSH_MS, async (signal) => await this.#commit(left, { signal }))
  }

  #put(topic: Topic): void {
    // The time of a report is when it became true: one that says the same keeps the older time.
    const before = this.#topics.get(topic.key)
    if (before?.digest === topic.digest) return
    // One that waits already does not wait anew.
    const isWaiting = before !== undefined && this.#written.get(topic.key)?.digest !== before.digest
    const fromMs = isWaiting ? Math.min(before.fromMs, topic.fromMs) : topic.fromMs
    this.#topics.set(topic.key, { ...topic, fromMs })
    this.#news.poke('news')
  }

  #changed(): readonly Topic[] {
    return [...this.#topics.values()].filter((topic) => this.#written.get(topic.key)?.digest !== topic.digest)
  }

  #dueMs(topic: Topic): number {
    const written = this.#written.get(topic.key)
    return Math.max(topic.fromMs, written === undefined ? 0 : written.atMs + topic.gapMs)
  }

  #dueInMs(): number {
    if (this.#options.fence() === undefined) return IDLE_MS
    const dueMs = this.#changed().map((topic) => this.#dueMs(topic))
    return Math.min(IDLE_MS, ...dueMs.map((ms) => ms - this.#options.clock.monotonicMs()))
  }

  async #commit(topics: readonly Topic[], op: Op): Promise<void> {
    const { store, clock, fence, onLost, onOlder } = this.#options
    const expectation = fence()
    if (expectation === undefined) return
    const changes = topics.map(({ key, value }) => ({ op: 'put', key, value }) as const)
    const commit = await store.commit({ expect: [expectation], changes }, op)
    if (!commit.committed) {
      onLost()
      return
    }
    const atMs = clock.monotonicMs()
    for (const { key, digest } of topics) this.#written.set(key, { digest, atMs })
    if (topics.some(({ asOf = 0 }) => asOf > commit.revision)) onOlder()
  }
}

function targetOf(
  kind: string,
  { items, loads: _loads, ...report }: TargetReport,
  asOf: number | undefined,
): Omit<NodeTarget, 'atMs'> {
  // Failures first: in a large catalog that still loads they must not be pushed out of the list.
  const rows = Object.entries(items).filter(([, item]) => item.state !== 'served' && item.state !== 'inactive')
  const sorted = rows.toSorted(([, a], [, b]) => Number(b.state === 'failed') - Number(a.state === 'failed'))
  const account = asOf === undefined || asOf === 0 ? {} : { asOf }
  return { ...report, kind, ...account, troubled: Object.fromEntries(sorted.slice(0, TROUBLED_MAX)) }
}

/** Where a catalog is so large that the value would pass the store's limit, the items that are served are left out. */
function datasetsOf({ applied, items }: TargetReport): string {
  const states = Object.entries(items).map(([id, item]): [string, ItemState] => [id, item.state])
  const whole = datasets(applied, states)
  if (Buffer.byteLength(whole) <= STORE_LIMITS.valueBytes) return whole
  const troubled = states.filter(([, state]) => state !== 'served').slice(0, 10_000)
  return datasets(applied, troubled, { partial: true })
}

function datasets(
  applied: number,
  states: readonly [string, ItemState][],
  partial: Pick<NodeDatasets, 'partial'> = {},
): string {
  return JSON.stringify({ applied, ...partial, items: Object.fromEntries(states) } satisfies NodeDatasets)
}
