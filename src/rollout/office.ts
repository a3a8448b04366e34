import type { Clock } from '../core/clock.ts'
import { isError, messageOf } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import type { Expectation, Lease, Store } from '../core/store.ts'
import { sleepQuietly, withDeadline } from '../lib/waiting.ts'

export interface OfficeOptions {
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
  /** The service that only one process is to run at a time: `service/<name>`. */
  readonly name: string
  /** For people: who holds it. */
  readonly holder: string
  /** After how long without a sign of life another one may take it. */
  readonly ttlMs: number
}

const ASK_MS = 1000
const LEAVE_MS = 2000

/**
 * The right to run a service, held under a lease. What its holder commits expects the key at the revision at which it was
 * taken: that revision is the fencing token, and one that was stopped for longer than its lease lasts commits nothing more.
 */
export class Office {
  readonly #options: OfficeOptions
  readonly #key: string
  #lease: Lease | undefined

  constructor(options: OfficeOptions) {
    this.#options = options
    this.#key = keys.service(options.name)
  }

  /** Waits until it is free, and takes it. Undefined when the signal was aborted. */
  async take(signal: AbortSignal): Promise<Expectation | undefined> {
    const { store, clock } = this.#options
    while (!signal.aborted) {
      const entry = await store.get(this.#key, { signal })
      // The answer to its commit may have been lost.
      const isOurs = this.#lease !== undefined && entry?.leaseId === this.#lease.id
      if (isOurs) return { key: this.#key, revision: entry.revision }
      const revision = entry === undefined ? await this.#claim({ signal }) : undefined
      if (revision !== undefined) return { key: this.#key, revision }
      await sleepQuietly(clock, ASK_MS, signal)
    }
    return undefined
  }

  /** False when it was too late. */
  async renew(op: Op): Promise<boolean> {
    try {
      await this.#lease?.renew(op)
      return this.#lease !== undefined
    } catch (error) {
      if (!isError(error, 'LEASE_ENDED')) throw error
      this.#lease = undefined
      return false
    }
  }

  /** So that nobody has to wait for the lease to end. Where that fails, it ends by itself. */
  async leave(): Promise<void> {
    const { clock, log } = this.#options
    const lease = this.#lease
    this.#lease = undefined
    try {
      await withDeadline(clock, LEAVE_MS, async (signal) => await lease?.revoke({ signal }))
    } catch (error) {
      log.debug('could not end the lease; it ends by itself', { error: messageOf(error) })
    }
  }

  /** Undefined when somebody else was quicker, or the lease has ended meanwhile. */
  async #claim(op: Op): Promise<number | undefined> {
    const { store, clock, holder, ttlMs } = this.#options
    this.#lease ??= await store.grantLease(ttlMs, op)
    const value = JSON.stringify({ holder, sinceMs: clock.nowMs() })
    try {
      const commit = await store.commit(
        {
          expect: [{ key: this.#key, revision: 0 }],
          changes: [{ op: 'put', key: this.#key, value, leaseId: this.#lease.id }],
        },
        op,
      )
      return commit.committed ? commit.revision : undefined
    } catch (error) {
      if (!isError(error, 'LEASE_ENDED')) throw error
      this.#lease = undefined
      return undefined
    }
  }
}
