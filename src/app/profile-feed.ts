import { Mirror } from '../agent/mirror.ts'
import type { Clock } from '../core/clock.ts'
import { isError } from '../core/errors.ts'
import type { JsonObject } from '../core/json-patch/json.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import { nodeProfile } from '../core/profile/profile.ts'
import type { Service } from '../core/service.ts'
import type { Entry, Store } from '../core/store.ts'
import { together } from '../lib/together.ts'
import { sleepQuietly } from '../lib/waiting.ts'

export interface ProfileFeedOptions {
  readonly store: Store
  /** Whose meta is followed too. */
  readonly node: string | undefined
  /**
   * Asks the hub for all params that count for this node, whichever profiles it has: its credential may read none of these by
   * themselves, so that nothing tells when one of them changes. Absent for a token that reads profiles itself.
   */
  readonly effective?: ((op: Op) => Promise<JsonObject>) | undefined
  readonly clock: Clock
  readonly onChange: () => void
}

const NOTHING: ReadonlyMap<string, Entry> = new Map()
const ASK_MS = 5000

/** A copy of the profiles that a token may read, and of what counts besides, where it may read that. */
export class ProfileFeed implements Service {
  readonly name = 'profiles of templates'
  readonly #options: ProfileFeedOptions
  #mirror: Mirror | undefined
  #effective: JsonObject | undefined
  #refusal: unknown

  constructor(options: ProfileFeedOptions) {
    this.#options = options
  }

  get entries(): ReadonlyMap<string, Entry> {
    return this.#mirror?.entries ?? NOTHING
  }

  /** All params that count, where the hub has been asked for them. */
  get effective(): JsonObject | undefined {
    return this.#effective
  }

  /** Throws why nothing may be known. */
  get isKnown(): boolean {
    if (this.#refusal !== undefined) throw this.#refusal
    if (this.#options.effective !== undefined && this.#effective === undefined) return false
    return this.#mirror?.revision !== undefined
  }

  /** Reads everything once. */
  async read(op: Op): Promise<void> {
    const mirror = await this.#opened(op)
    await Promise.all([mirror.refresh(op), this.#ask(op)])
  }

  async run(signal: AbortSignal): Promise<void> {
    const { onChange } = this.#options
    try {
      const mirror = await this.#opened({ signal })
      this.#refusal = undefined
      await together(
        [async (either) => await mirror.run(either), async (either) => await this.#keepAsking(either)],
        signal,
      )
    } catch (error) {
      if (isError(error, 'FORBIDDEN', 'UNAUTHENTICATED')) {
        this.#refusal = error
        onChange()
      }
      throw error
    }
  }

  async #keepAsking(signal: AbortSignal): Promise<void> {
    if (this.#options.effective === undefined) return
    do {
      const before = JSON.stringify(this.#effective)
      await this.#ask({ signal })
      if (JSON.stringify(this.#effective) !== before) this.#options.onChange()
    } while (await sleepQuietly(this.#options.clock, ASK_MS, signal))
  }

  async #ask(op: Op): Promise<void> {
    const { effective } = this.#options
    if (effective !== undefined) this.#effective = await effective(op)
  }

  async #opened(op: Op): Promise<Mirror> {
    const { store, node, effective, onChange } = this.#options
    const own = effective === undefined || node === undefined ? keys.profiles : keys.profile(nodeProfile(node))
    this.#mirror ??= new Mirror({ store, prefixes: [own, ...(await this.#allowed(op))], onChange })
    return this.#mirror
  }

  /** A token for one profile alone may not read defaults, nor what a node says of itself: it does without. */
  async #allowed(op: Op): Promise<readonly string[]> {
    const { store, node } = this.#options
    const wanted = [keys.params, ...(node === undefined ? [] : [keys.meta(node)])]
    const allowed: string[] = []
    for (const prefix of wanted) {
      try {
        await store.list(prefix, op)
        allowed.push(prefix)
      } catch (error) {
        if (!isError(error, 'FORBIDDEN')) throw error
      }
    }
    return allowed
  }
}
