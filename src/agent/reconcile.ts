import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { Service } from '../core/service.ts'
import type { Target, TargetReport } from '../core/target.ts'
import { Backoff } from '../lib/backoff.ts'
import type { Wake } from '../lib/wake.ts'
import { isOver, NOTHING, troubleOf, withTrouble } from './trouble.ts'
import type { InUse, Uptake } from './uptake.ts'
import type { Reason } from './wake.ts'
import type { Wanted } from './wish.ts'

/** How often to look, in milliseconds. */
export interface Pace {
  /** While the application works on a change: from the first to the second. */
  readonly pollMinMs: number
  readonly pollMaxMs: number
  /** When nothing is left to do. */
  readonly settledMs: number
}

export const PACE: Pace = { pollMinMs: 500, pollMaxMs: 2000, settledMs: 30_000 }

export interface ReconcilerOptions {
  readonly tree: string
  readonly target: Target
  readonly uptake: Uptake
  readonly wanted: () => Wanted | undefined
  readonly wake: Wake<Reason>
  /** `asOf`: the revision of the store up to which the report takes account of what is wanted; undefined for none. */
  readonly report: (report: TargetReport, asOf: number | undefined) => void
  readonly clock: Clock
  readonly log: Logger
  readonly random: () => number
  readonly pace: Pace
}

/** How one look ended. */
export interface Look {
  /** Undefined while nothing is known of any release. */
  readonly report: TargetReport | undefined
  /** When to look again although nothing is heard. */
  readonly pauseMs: number
  /** Whether waiting may bring more: the application works, or something failed that may pass by itself. */
  readonly unfinished: boolean
  readonly deaf?: readonly Reason[]
}

/** Rounds of one look. A target whose plan never gets empty is looked at again later, not at once. */
const ROUNDS_MAX = 5
const POLL_GROWTH = 1.5
const FAILED_FIRST_MS = 1000

/** Keeps one tree of this node in step: looks, does what can be done now, tells, and waits for a reason to look again. */
export class Reconciler implements Service {
  readonly name: string
  readonly #options: ReconcilerOptions
  readonly #failures: Backoff
  #pollMs: number
  /** What the target said last, and what was told of it. */
  #proved: TargetReport = NOTHING
  #told: TargetReport | undefined
  /** How often in a row it could not be looked at, or changed. */
  #tries = 0

  constructor(options: ReconcilerOptions) {
    this.#options = options
    this.name = `reconcile ${options.tree}`
    const { pace, random } = options
    this.#pollMs = pace.pollMinMs
    this.#failures = new Backoff({ firstMs: Math.min(FAILED_FIRST_MS, pace.settledMs), maxMs: pace.settledMs, random })
  }

  async run(signal: AbortSignal): Promise<void> {
    const { wake, uptake } = this.#options
    while (!signal.aborted) {
      const { pauseMs, deaf = [] } = await this.look(signal)
      const reasons = await wake.wait({ ms: pauseMs, signal, deaf })
      if (reasons.has('manual')) uptake.forgive()
    }
  }

  /** Takes up what is wanted, then observes, plans and applies until nothing is left that can be done now. Never rejects. */
  async look(signal: AbortSignal): Promise<Look> {
    const { uptake, wanted } = this.#options
    try {
      const before = uptake.inUse?.prepared
      await uptake.advance(wanted(), signal)
      if (uptake.inUse?.prepared !== before) this.#beginAnew()
      if (uptake.inUse === undefined) return this.#standing()
      const busy = await this.#rounds(uptake.inUse, signal)
      this.#failures.reset()
      this.#tries = 0
      return this.#pause(busy)
    } catch (error) {
      if (signal.aborted) return { report: this.#told, pauseMs: 0, unfinished: true }
      return this.#failed(error)
    }
  }

  #beginAnew(): void {
    this.#pollMs = this.#options.pace.pollMinMs
    this.#tries = 0
  }

  /** Answers whether something is left that can be done now. */
  async #rounds(inUse: InUse, signal: AbortSignal): Promise<boolean> {
    const { target, uptake, wanted } = this.#options
    const { prepared } = inUse
    let actual = await target.observe(prepared, { signal })
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const steps = target.plan(prepared, actual)
      for (const step of steps) {
        if (signal.aborted || uptake.isNews(wanted())) return true
        await target.apply(step, { signal })
        this.#pollMs = this.#options.pace.pollMinMs
      }
      if (steps.length > 0) actual = await target.observe(prepared, { signal })
      this.#tell(target.report(prepared, actual))
      if (steps.length === 0) return false
    }
    return true
  }

  #tell(report: TargetReport): void {
    const { refusal } = this.#options.uptake
    this.#proved = report
    this.#say(refusal === undefined ? report : withTrouble(report, refusal))
  }

  /** While a failure may pass, nothing is said of what is wanted now: nobody should take it for the outcome. */
  #say(report: TargetReport): void {
    const { inUse, refusal } = this.#options.uptake
    const { asOf } = (refusal ?? inUse)?.wanted ?? { asOf: undefined }
    this.#told = report
    this.#options.report(report, report.retrying === true ? undefined : asOf)
  }

  #pause(busy: boolean): Look {
    const { uptake, wanted } = this.#options
    if (busy && uptake.isNews(wanted())) return { report: this.#told, pauseMs: 0, unfinished: true }
    const works = busy || this.#proved.state === 'pending' || this.#proved.retrying === true
    const pauseMs = works || this.#proved.state === 'unproved' ? this.#grow(works) : this.#settle()
    const retryMs = this.#retryMs()
    return { report: this.#told, pauseMs: Math.min(pauseMs, retryMs), unfinished: works || Number.isFinite(retryMs) }
  }

  /** When the wish that was refused is due again; infinite where there is none, or only a change can help. */
  #retryMs(): number {
    const { refusal } = this.#options.uptake
    if (refusal === undefined) return Number.POSITIVE_INFINITY
    return Math.max(0, refusal.retryAtMs - this.#options.clock.monotonicMs())
  }

  /** An application that is down may come back any moment at first, and later less and less likely so. */
  #grow(works: boolean): number {
    const { pollMaxMs, settledMs } = this.#options.pace
    const pauseMs = this.#pollMs
    this.#pollMs = Math.min(pauseMs * POLL_GROWTH, works ? pollMaxMs : settledMs)
    return pauseMs
  }

  /** Nodes that settled together do not ask their applications in the same moment for ever. */
  #settle(): number {
    const { pace, random } = this.#options
    this.#pollMs = pace.pollMinMs
    return pace.settledMs * (0.9 + 0.2 * random())
  }

  /** Nothing could be prepared yet. */
  #standing(): Look {
    const { uptake, pace } = this.#options
    if (uptake.refusal !== undefined) this.#tell(NOTHING)
    const retryMs = this.#retryMs()
    return { report: this.#told, pauseMs: Math.min(retryMs, pace.settledMs), unfinished: Number.isFinite(retryMs) }
  }

  /** Observing or applying failed. A change of local files is no reason to try sooner: the attempt itself may have made it. */
  #failed(error: unknown): Look {
    const { tree, log } = this.#options
    const trouble = troubleOf(error)
    log.warn('could not bring the target in step', { tree, error: trouble })
    this.#tries += 1
    const { refusal } = this.#options.uptake
    const over = isOver(error, this.#tries) && refusal?.isOver !== false
    this.#say(withTrouble(this.#proved, { error: trouble, isOver: over }))
    return { report: this.#told, pauseMs: this.#failures.nextMs(), unfinished: true, deaf: ['local'] }
  }
}
