import type { Clock } from '../core/clock.ts'
import { keys } from '../core/keys.ts'
import type { Logger } from '../core/log.ts'
import { decide } from '../core/rollout/decide.ts'
import { rolloutIn, worldOf } from '../core/rollout/world.ts'
import { isUnderWay, rolloutSummary } from '../core/rollout-words.ts'
import type { Rollout } from '../core/rollout.ts'
import type { Entry, Expectation, Store } from '../core/store.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import type { Office } from './office.ts'
import { View } from './view.ts'

export interface TermOptions {
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
  readonly office: Office
  readonly fence: Expectation
  /** By tree, what the decision before has measured. */
  readonly held: Map<string, ReadonlyMap<string, number>>
  readonly renewMs: number
}

/** `over`: nothing is left to do. `lost`: somebody else has the office, or may have it. */
export type TermEnd = 'over' | 'lost'

/** A rollout that is under way, and the entry that says so. */
export interface Moving {
  readonly rollout: Rollout
  readonly entry: Entry
}

export function movingIn(entry: Entry): Moving | undefined {
  const rollout = entry.key.startsWith(keys.rollouts) ? rolloutIn(entry) : undefined
  return rollout !== undefined && isUnderWay(rollout) ? { rollout, entry } : undefined
}

/** One term of office: decides and commits, round after round, whenever the store or the time gives a reason to. */
export class Term {
  readonly #options: TermOptions
  readonly #view: View
  #bell = new AbortController()
  #broken: { readonly error: unknown } | undefined
  #renewedMs: number

  constructor(options: TermOptions) {
    this.#options = options
    this.#view = new View(options.store, () => this.#bell.abort())
    this.#renewedMs = options.clock.monotonicMs()
  }

  /** Rejects when the store fails. */
  async run(signal: AbortSignal): Promise<TermEnd> {
    const end = new AbortController()
    const ended = AbortSignal.any([signal, end.signal])
    const following = this.#follow(ended)
    try {
      return await this.#rounds(ended)
    } finally {
      end.abort()
      await following
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    try {
      await this.#view.run(signal)
    } catch (error) {
      this.#broken = { error }
      this.#bell.abort()
    }
  }

  async #rounds(signal: AbortSignal): Promise<TermEnd> {
    const { clock, office, renewMs } = this.#options
    while (!signal.aborted) {
      // What changes from here on is looked at in the next round.
      this.#bell = new AbortController()
      const rung = AbortSignal.any([signal, this.#bell.signal])
      if (this.#broken !== undefined) throw this.#broken.error
      if (clock.monotonicMs() - this.#renewedMs >= renewMs) {
        if (!(await office.renew({ signal }))) return 'lost'
        this.#renewedMs = clock.monotonicMs()
      }
      const againMs = await this.#round(signal)
      if (typeof againMs === 'string') return againMs
      await sleepQuietly(clock, Math.min(againMs, this.#renewedMs + renewMs - clock.monotonicMs()), rung)
    }
    return 'lost'
  }

  /** Answers when to look again. */
  async #round(signal: AbortSignal): Promise<number | TermEnd> {
    const { revision } = this.#view
    let againMs = Number.POSITIVE_INFINITY
    if (revision === undefined) return againMs
    const moving = [...this.#view.entries.values()].flatMap((entry) => movingIn(entry) ?? [])
    if (moving.length === 0) return 'over'
    for (const each of moving) {
      const next = await this.#step(each, revision, signal)
      if (next === 'lost') return next
      againMs = Math.min(againMs, next)
    }
    return againMs
  }

  async #step({ rollout, entry }: Moving, revision: number, signal: AbortSignal): Promise<number | 'lost'> {
    const { store, clock, log, fence, held } = this.#options
    const { tree } = rollout
    const world = worldOf(tree, this.#view.entries.values(), revision)
    const moment = {
      wallMs: clock.nowMs(),
      monotonicMs: clock.monotonicMs(),
      held: held.get(tree) ?? new Map<string, number>(),
    }
    const { next, changes, expect, held: holding, againMs } = decide(rollout, world, moment)
    held.set(tree, holding)
    if (changes.length === 0) return againMs
    const expected = [fence, { key: entry.key, revision: entry.revision }, ...expect]
    const commit = await store.commit({ expect: expected, changes }, { signal })
    if (commit.committed) {
      log.info('rollout', { tree, state: next.state, summary: rolloutSummary(next) })
    } else if (commit.key === fence.key) {
      log.warn('another hub runs the rollouts now')
      return 'lost'
    }
    // Where somebody was quicker, what he did comes with the watch.
    return againMs
  }
}
