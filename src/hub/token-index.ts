import type { Clock } from '../core/clock.ts'
import { FlotillaError, messageOf } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Logger } from '../core/log.ts'
import { parseScope } from '../core/scope.ts'
import type { Service } from '../core/service.ts'
import type { Store } from '../core/store.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import type { Caller } from './caller.ts'
import { nodeScopes } from './node-scopes.ts'
import { parseRecord, parseToken, sameHash } from './tokens.ts'

interface Known {
  readonly caller: Caller
  readonly hash: Buffer
  readonly end: AbortController
}

interface TokenIndexDeps {
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
}

const RETRY_MS = 1000

/**
 * The tokens of the store, in memory, followed by a watch: a token revoked through any hub ends here as soon as the
 * watch says so. While the store cannot be watched, every token is looked up in it, so that none outlives its revocation.
 */
export class TokenIndex implements Service {
  readonly name = 'tokens'
  readonly #deps: TokenIndexDeps
  readonly #known = new Map<string, Known>()
  #isFollowing = false

  constructor(deps: TokenIndexDeps) {
    this.#deps = deps
  }

  /** Follows the store until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#follow(signal)
      } catch (error) {
        if (!signal.aborted) this.#deps.log.warn('tokens cannot be followed', { error: messageOf(error) })
      }
      this.#isFollowing = false
      await sleepQuietly(this.#deps.clock, RETRY_MS, signal)
    }
  }

  /** The caller a token stands for; undefined for one that is malformed, unknown, wrong or expired. */
  find(text: string): Caller | undefined | Promise<Caller | undefined> {
    const token = parseToken(text)
    if (token === undefined) return undefined
    const known = this.#known.get(token.id)
    if (known !== undefined && this.#isFollowing) return this.#proved(known, token.hash)
    return this.#lookUp(token.id).then((found) => found && this.#proved(found, token.hash))
  }

  isExpired({ expiresAtMs }: Caller): boolean {
    return expiresAtMs !== undefined && expiresAtMs <= this.#deps.clock.nowMs()
  }

  /** Ends a token here and now; the watch would say it a moment later. */
  end(id: string): void {
    this.#known.get(id)?.end.abort(new FlotillaError('UNAUTHENTICATED', 'the token was revoked'))
    this.#known.delete(id)
  }

  #proved(known: Known, hash: Buffer): Caller | undefined {
    return sameHash(known.hash, hash) && !this.isExpired(known.caller) ? known.caller : undefined
  }

  /**
   * For a token that is new to this hub. Looks twice: a deletion between the first look and learning may have come
   * through the watch too early to end anything.
   */
  async #lookUp(id: string): Promise<Known | undefined> {
    const entry = await this.#deps.store.get(keys.token(id))
    if (entry !== undefined) this.#learn(id, entry.value)
    if (entry === undefined || (await this.#deps.store.get(keys.token(id))) === undefined) this.end(id)
    return this.#known.get(id)
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { entries, revision } = await this.#deps.store.list(keys.tokens)
    const listed = new Map(entries.map(({ key, value }) => [idOf(key), value]))
    for (const id of this.#known.keys()) if (!listed.has(id)) this.end(id)
    for (const [id, value] of listed) this.#learn(id, value)
    this.#isFollowing = true
    for await (const { changes } of this.#deps.store.watch(keys.tokens, { after: revision, signal })) {
      for (const change of changes) {
        if (change.op === 'put') this.#learn(idOf(change.entry.key), change.entry.value)
        else this.end(idOf(change.key))
      }
    }
  }

  /** A record never changes, so one that is known stays as it is. */
  #learn(id: string, value: string): void {
    if (this.#known.has(id)) return
    const { hash, label, scopes, createdAtMs, expiresAtMs, node, profile, sources } = parseRecord(value)
    const end = new AbortController()
    const parsed = (node === undefined ? scopes : nodeScopes(node, sources)).map((scope) => parseScope(scope))
    const caller = { id, label, scopes: parsed, createdAtMs, expiresAtMs, node, profile, ended: end.signal }
    this.#known.set(id, { caller, hash: Buffer.from(hash, 'hex'), end })
  }
}

function idOf(key: string): string {
  return key.slice(keys.tokens.length)
}
