import type { TokenUse } from '../core/api.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Logger } from '../core/log.ts'
import type { Service } from '../core/service.ts'
import type { Store } from '../core/store.ts'
import { sleepQuietly } from '../lib/waiting.ts'

interface TokenUsesDeps {
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
}

const EVERY_MS = 5000
/** Tokens whose use is not written yet; of more than that, only those that were used first are noted. */
const WAITING_MAX = 10_000

/**
 * How often, when last and from where tokens for profiles are used. Counted here and added to the store every few
 * seconds, so a use costs nothing; what a hub has not written when it crashes is lost. Nothing is counted twice.
 */
export class TokenUses implements Service {
  readonly name = 'token-uses'
  readonly #deps: TokenUsesDeps
  #waiting = new Map<string, TokenUse>()

  constructor(deps: TokenUsesDeps) {
    this.#deps = deps
  }

  note(id: string, from: string): void {
    const before = this.#waiting.get(id)
    if (before === undefined && this.#waiting.size >= WAITING_MAX) return
    this.#waiting.set(id, { count: (before?.count ?? 0) + 1, lastAtMs: this.#deps.clock.nowMs(), lastFrom: from })
  }

  /** By id of the token; with what this hub has counted and not written yet. */
  async all(): Promise<ReadonlyMap<string, TokenUse>> {
    const { entries } = await this.#deps.store.list(keys.uses)
    const found = new Map(entries.map(({ key, value }) => [key.slice(keys.uses.length), JSON.parse(value) as TokenUse]))
    for (const [id, use] of this.#waiting) found.set(id, sum(found.get(id), use))
    return found
  }

  /** Writes until the signal aborts, and what is left then. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleepQuietly(this.#deps.clock, EVERY_MS, signal)
      try {
        await this.#write()
      } catch (error) {
        this.#deps.log.warn('the use of tokens cannot be noted', { error: messageOf(error) })
      }
    }
  }

  async #write(): Promise<void> {
    const { store } = this.#deps
    for (const [id, use] of this.#waiting) {
      const [token, before] = await Promise.all([store.get(keys.token(id)), store.get(keys.use(id))])
      if (token === undefined) {
        this.#waiting.delete(id)
        continue
      }
      const value = JSON.stringify(sum(before && (JSON.parse(before.value) as TokenUse), use))
      const commit = await store.commit({
        expect: [
          { key: keys.token(id), revision: token.revision },
          { key: keys.use(id), revision: before?.revision ?? 0 },
        ],
        changes: [{ op: 'put', key: keys.use(id), value }],
      })
      if (commit.committed) this.#settle(id, use)
    }
  }

  /** What came while it was written waits for the next time. */
  #settle(id: string, written: TokenUse): void {
    const now = this.#waiting.get(id)
    if (now === undefined) return
    const count = now.count - written.count
    if (count === 0) this.#waiting.delete(id)
    else this.#waiting.set(id, { ...now, count })
  }
}

function sum(a: TokenUse | undefined, b: TokenUse): TokenUse {
  if (a === undefined) return b
  const { lastAtMs, lastFrom } = a.lastAtMs > b.lastAtMs ? a : b
  return { count: a.count + b.count, lastAtMs, lastFrom }
}
