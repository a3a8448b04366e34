import type { Clock } from '../../src/core/clock.ts'
import { FlotillaError } from '../../src/core/errors.ts'
import type { Op } from '../../src/core/op.ts'
import type { Batch, Commit, Entry, Lease, Listing, Store, Txn, WatchOptions } from '../../src/core/store.ts'

/** `batch` is asked for every batch that a watch is about to yield. */
export type StoreOperation = 'get' | 'list' | 'commit' | 'watch' | 'batch' | 'grantLease' | 'renew' | 'revoke'

export type StoreFault =
  /** `UNREACHABLE`, without any effect. Cuts a watch. */
  | 'refuse'
  /** `UNREACHABLE`, after the whole effect. Cuts a watch. */
  | 'lose-answer'
  | { readonly delayMs: number }

/** What goes wrong with an operation that is about to begin; undefined when nothing does. */
export type FaultPlan = (operation: StoreOperation) => StoreFault | undefined

/** A store behind a bad line: it keeps the contract but for `UNREACHABLE`, which may come any time. */
export class FlakyStore implements Store {
  readonly #inner: Store
  readonly #clock: Clock
  readonly #plan: FaultPlan

  constructor(inner: Store, clock: Clock, plan: FaultPlan) {
    this.#inner = inner
    this.#clock = clock
    this.#plan = plan
  }

  async get(key: string, op?: Op): Promise<Entry | undefined> {
    return await this.#disturbed('get', () => this.#inner.get(key, op))
  }

  async list(prefix: string, op?: Op): Promise<Listing> {
    return await this.#disturbed('list', () => this.#inner.list(prefix, op))
  }

  async commit(txn: Txn, op?: Op): Promise<Commit> {
    return await this.#disturbed('commit', () => this.#inner.commit(txn, op))
  }

  async *watch(prefix: string, options: WatchOptions): AsyncIterable<Batch> {
    await this.#disturbed('watch', async () => undefined)
    for await (const batch of this.#inner.watch(prefix, options)) {
      await this.#disturbed('batch', async () => undefined)
      yield batch
    }
  }

  async grantLease(ttlMs: number, op?: Op): Promise<Lease> {
    const { id } = await this.#disturbed('grantLease', () => this.#inner.grantLease(ttlMs, op))
    return this.lease(id)
  }

  lease(id: string): Lease {
    const inner = this.#inner.lease(id)
    return {
      id,
      renew: (op) => this.#disturbed('renew', () => inner.renew(op)),
      revoke: (op) => this.#disturbed('revoke', () => inner.revoke(op)),
    }
  }

  async close(): Promise<void> {
    await this.#inner.close()
  }

  async #disturbed<T>(operation: StoreOperation, work: () => Promise<T>): Promise<T> {
    const fault = this.#plan(operation)
    if (fault === 'refuse') throw unreachable(operation)
    if (typeof fault === 'object') await this.#clock.sleep(fault.delayMs)
    const result = await work()
    if (fault === 'lose-answer') throw unreachable(operation)
    return result
  }
}

/** The faults of each operation in order, first come, first served; then none. `undefined` lets one pass. */
export function scriptedFaults(
  script: Partial<Record<StoreOperation, readonly (StoreFault | undefined)[]>>,
): FaultPlan {
  const left = new Map(Object.entries(script).map(([operation, faults]) => [operation, [...faults]]))
  return (operation) => left.get(operation)?.shift()
}

/** Each operation fails with probability `odds`, half of the time after its effect. `random` is uniform in [0, 1). */
export function randomFaults(random: () => number, odds: number): FaultPlan {
  return () => {
    if (random() >= odds) return undefined
    return random() < 0.5 ? 'refuse' : 'lose-answer'
  }
}

function unreachable(operation: StoreOperation): FlotillaError {
  return new FlotillaError('UNREACHABLE', `the line broke during ${operation}`)
}
