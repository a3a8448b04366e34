import type { Clock } from '../core/clock.ts'
import { ERRORS, isError, messageOf } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Logger } from '../core/log.ts'
import type { Service } from '../core/service.ts'
import type { Store } from '../core/store.ts'
import { Backoff } from '../lib/backoff.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import { Office } from './office.ts'
import { movingIn, Term } from './term.ts'

export interface RolloutServiceOptions {
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** For people: which hub this is. */
  readonly holder: string
}

/** How long another hub waits for one that is gone. */
const TTL_MS = 6000
const RETRY = { firstMs: 250, maxMs: 5000 }

/**
 * Takes every rollout that is under way from step to step. Any number of hubs may run it on one store: one of them holds the
 * office, and each of its commits expects that it still does, and that the rollout is what the step was decided on. It keeps
 * nothing but stopwatches, so it can end at any moment and another one goes on. Where no rollout is under way it does no more
 * than watch for one.
 */
export class RolloutService implements Service {
  readonly name = 'rollouts'
  readonly #options: RolloutServiceOptions
  readonly #office: Office
  readonly #failures: Backoff
  readonly #held = new Map<string, ReadonlyMap<string, number>>()
  #heldSince = 0

  constructor(options: RolloutServiceOptions) {
    this.#options = options
    this.#office = new Office({ ...options, name: this.name, ttlMs: TTL_MS })
    this.#failures = new Backoff({ ...RETRY, random: options.random })
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options
    try {
      while (!signal.aborted) {
        try {
          await this.#work(signal)
          this.#failures.reset()
        } catch (error) {
          if (signal.aborted) return
          if (!isError(error) || !ERRORS[error.code].retry) throw error
          log.warn('rollouts wait for the store', { error: messageOf(error) })
          await sleepQuietly(clock, this.#failures.nextMs(), signal)
        }
      }
    } finally {
      await this.#office.leave()
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    await this.#somethingToDo(signal)
    const fence = await this.#office.take(signal)
    if (fence === undefined) return
    // What was measured in an earlier term says nothing of the time between.
    if (fence.revision !== this.#heldSince) this.#held.clear()
    this.#heldSince = fence.revision
    const term = new Term({ ...this.#options, office: this.#office, fence, held: this.#held, renewMs: TTL_MS / 3 })
    if ((await term.run(signal)) === 'over') await this.#office.leave()
  }

  /** Resolves when a rollout is under way. */
  async #somethingToDo(signal: AbortSignal): Promise<void> {
    const { store } = this.#options
    const { entries, revision } = await store.list(keys.rollouts, { signal })
    if (entries.some((entry) => movingIn(entry) !== undefined)) return
    for await (const { changes } of store.watch(keys.rollouts, { after: revision, signal })) {
      if (changes.some((change) => change.op === 'put' && movingIn(change.entry) !== undefined)) return
    }
  }
}
