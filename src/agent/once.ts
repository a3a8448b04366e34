import { ERRORS, isError, messageOf } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Expectation } from '../core/store.ts'
import type { TargetReport } from '../core/target.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import { type AgentOptions, assemble, instanceOf, type Parts } from './parts.ts'
import { duplicateOf, instanceIn } from './presence.ts'

export interface OnceOptions {
  /** How long to wait for the hub, for what may pass by itself, and for an application that is loading. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export interface OnceResult {
  /**
   * `ok`: everything is proved; or written, where no application runs that could prove it; or nothing was released yet.
   * `pending`: the application still loads. `failed`: a report says what.
   */
  readonly outcome: 'ok' | 'pending' | 'failed'
  /** By tree; trees of which nothing was ever released are absent. */
  readonly reports: ReadonlyMap<string, TargetReport>
}

const ASK_MS = 1000

/**
 * Brings every target as far as it gets, tells, and ends: for the start of a container, before its application runs.
 * Takes no lease: a node counts as alive only through an agent that stays. Rejects with `UNREACHABLE` when the hub does not
 * answer in time and nothing is remembered from before, and with `LOST_RACE` when an agent elsewhere has the node's name.
 */
export async function agentOnce(options: AgentOptions, { timeoutMs, signal }: OnceOptions): Promise<OnceResult> {
  const { clock, log, memory, newId } = options
  const untilMs = clock.monotonicMs() + timeoutMs
  const hub = new HubOnce(options, await instanceOf(memory, newId))
  const parts = assemble(options, { fence: () => hub.fence, onLost: () => (hub.fence = undefined) })
  for (;;) {
    await hub.reach(parts, signal)
    const looks = await Promise.all(parts.trees.map(async ({ reconciler }) => await reconciler.look(signal)))
    signal.throwIfAborted()
    const isEnough = hub.fence !== undefined || parts.trees.every(({ uptake }) => uptake.inUse !== undefined)
    const leftMs = untilMs - clock.monotonicMs()
    if ((isEnough && !looks.some(({ unfinished }) => unfinished)) || leftMs <= 0) {
      if (!isEnough) throw hub.trouble
      await parts.reporter
        .flush()
        .catch((error: unknown) => log.warn('the report did not get out', { error: messageOf(error) }))
      return resultOf(
        parts,
        looks.map(({ report }) => report),
      )
    }
    await sleepQuietly(clock, Math.min(leftMs, ASK_MS, ...looks.map(({ pauseMs }) => pauseMs)), signal)
  }
}

/** The hub as far as one run needs it: reached once, and nobody else there under this node's name. */
class HubOnce {
  readonly #options: AgentOptions
  readonly #instance: string
  /** What a report must expect; undefined until the hub was reached. */
  fence: Expectation | undefined
  trouble: unknown

  constructor(options: AgentOptions, instance: string) {
    this.#options = options
    this.#instance = instance
  }

  async reach({ feed }: Parts, signal: AbortSignal): Promise<void> {
    if (this.fence !== undefined) return
    const { store, node } = this.#options
    const key = keys.alive(node)
    try {
      const entry = await store.get(key, { signal })
      // An agent that was killed a moment ago leaves its lease behind: then it soon is gone.
      if (entry !== undefined && instanceIn(entry) !== this.#instance) throw duplicateOf(node)
      await feed.refresh({ signal })
      this.fence = { key, revision: entry?.revision ?? 0 }
    } catch (error) {
      signal.throwIfAborted()
      if (!isError(error) || !ERRORS[error.code].retry) throw error
      this.trouble = error
    }
  }
}

function resultOf({ trees }: Parts, told: readonly (TargetReport | undefined)[]): OnceResult {
  const reports = new Map<string, TargetReport>()
  for (const [index, { tree }] of trees.entries()) {
    const report = told[index]
    if (report !== undefined) reports.set(tree, report)
  }
  const states = new Set([...reports.values()].map(({ state }) => state))
  const outcome = states.has('failed') ? 'failed' : states.has('pending') ? 'pending' : 'ok'
  return { outcome, reports }
}
