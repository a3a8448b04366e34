import { FlotillaError, isError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import type { Expectation, Store, Txn, Write } from '../core/store.ts'
import { sha256 } from './hash.ts'

/** One request that may come again because its answer was lost: what its `Idempotency-Key` makes of it. */
export interface Once {
  /** Hash of who asks and of the key: nobody meets the answers of others. */
  readonly id: string
  /** Hash of all that was asked: the same key with something else is a mistake. */
  readonly request: string
  readonly caller: string
}

export function onceOf(caller: string, key: string, request: string): Once {
  return { id: sha256(`${caller} ${key}`), request: sha256(request), caller }
}

/** The first answer, and the revision of the commit that it was given in. */
export interface FirstAnswer {
  readonly answer: unknown
  readonly revision: number
}

interface Kept {
  readonly request: string
  readonly answer: unknown
}

/** Answers are kept for at least ten minutes: one is put under the lease of its minute, which is never renewed. */
const KEPT_MS = 660_000
const LEASE_MS = 60_000
/** One lease ends as one commit, which should stay a small one. */
const PER_LEASE = 2000
/** Answers hold lists of any length: what one caller has kept of the larger ones in a minute, at most. */
const LARGE_CHARS = 4096
const LARGE_CHARS_PER_MINUTE = 16 * 1024 * 1024
const MINUTE_MS = 60_000

/**
 * What was answered to requests with an `Idempotency-Key`, put into the store in the very commit of what they changed: so
 * whoever asks again, of any hub and after any crash, is either told the first answer, or was not done. They vanish with
 * leases, whose time is not that of clocks. A refusal changed nothing and is not kept.
 */
export class FirstAnswers {
  readonly #store: Store
  readonly #monotonicMs: () => number
  #lease: { readonly id: Promise<string>; readonly endsMs: number; left: number } | undefined
  readonly #large = new Map<string, number>()
  #minuteEndsMs = 0

  constructor(store: Store, monotonicMs: () => number) {
    this.#store = store
    this.#monotonicMs = monotonicMs
  }

  /** Undefined where the request was not done yet. Throws `KEY_REUSED` where the key belongs to another one. */
  async find(once: Once, op: Op = {}): Promise<FirstAnswer | undefined> {
    const entry = await this.#store.get(keys.once(once.id), op)
    if (entry === undefined) return undefined
    const { request, answer } = JSON.parse(entry.value) as Kept
    if (request === once.request) return { answer, revision: entry.revision }
    throw new FlotillaError('KEY_REUSED', 'this Idempotency-Key was sent with another request before', {
      hint: 'Make a new key for each request, and send it again only with that one.',
    })
  }

  /**
   * Commits, and keeps the answer with it; without `once` just commits. The first expectation that differs may be that of
   * `keys.once(once.id)`: then the same request was done meanwhile, and `find` has its answer. Throws `RATE_LIMITED`,
   * before anything is done, where the caller has too much kept.
   */
  async commit(txn: Txn, once: Once | undefined, answer: unknown, op: Op = {}): ReturnType<Store['commit']> {
    if (once === undefined) return this.#store.commit(txn, op)
    const kept: Kept = { request: once.request, answer }
    const value = JSON.stringify(kept)
    this.#checkRoom(once, value.length)
    const key = keys.once(once.id)
    const expect: readonly Expectation[] = [{ key, revision: 0 }, ...(txn.expect ?? [])]
    for (;;) {
      const leaseId = await this.#currentLease()
      const put: Write = { op: 'put', key, value, leaseId }
      try {
        return await this.#store.commit({ expect, changes: [...txn.changes, put] }, op)
      } catch (error) {
        if (!isError(error, 'LEASE_ENDED')) throw error
        // This process, or the store's, stood still for longer than the lease. Another lease may have ended as well.
        if (txn.changes.some((change) => change.op === 'put' && change.leaseId !== undefined)) throw error
        this.#lease = undefined
      }
    }
  }

  #checkRoom({ caller }: Once, chars: number): void {
    if (chars <= LARGE_CHARS) return
    const now = this.#monotonicMs()
    if (this.#minuteEndsMs <= now) {
      this.#large.clear()
      this.#minuteEndsMs = now + MINUTE_MS
    }
    const sum = (this.#large.get(caller) ?? 0) + chars
    if (sum > LARGE_CHARS_PER_MINUTE) {
      throw new FlotillaError('RATE_LIMITED', 'this token has too many large answers kept for an Idempotency-Key', {
        hint: `Try again in ${Math.ceil((this.#minuteEndsMs - now) / 1000)} s, or send it without that header.`,
      })
    }
    this.#large.set(caller, sum)
  }

  async #currentLease(): Promise<string> {
    const now = this.#monotonicMs()
    if (this.#lease === undefined || this.#lease.endsMs <= now || this.#lease.left === 0) {
      const id = this.#store.grantLease(KEPT_MS).then((lease) => lease.id)
      this.#lease = { id, endsMs: now + LEASE_MS, left: PER_LEASE }
    }
    const lease = this.#lease
    lease.left -= 1
    try {
      return await lease.id
    } catch (error) {
      if (this.#lease === lease) this.#lease = undefined
      throw error
    }
  }
}
