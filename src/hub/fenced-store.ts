import { AsyncLocalStorage } from 'node:async_hooks'
import { type Fence, staleFence } from '../core/coordination/fences.ts'
import type { Op } from '../core/op.ts'
import type { Batch, Commit, Entry, Expectation, Lease, Listing, Store, Txn, WatchOptions } from '../core/store.ts'

interface Guard {
  readonly fence: Fence
  /** That of the fence first. */
  readonly expectations: readonly Expectation[]
}

/**
 * The store as every service of a hub has it. What a request commits that came with a fence expects, in the same
 * transaction, that the claim is still there: whichever service does it, and however late. So a write of a leader that was
 * deposed a moment ago cannot slip in between a check and a commit.
 */
export class FencedStore implements Store {
  readonly #store: Store
  readonly #guards = new AsyncLocalStorage<Guard>()

  constructor(store: Store) {
    this.#store = store
  }

  /** Runs `work`, whose commits reject with `STALE_FENCE` unless the expectations hold. */
  under<T>(guard: Guard, work: () => T): T {
    return this.#guards.run(guard, work)
  }

  /** What the request that this runs for expects of every commit, because of its fence. */
  get expected(): readonly Expectation[] {
    return this.#guards.getStore()?.expectations ?? []
  }

  async commit(txn: Txn, op?: Op): Promise<Commit> {
    const guard = this.#guards.getStore()
    if (guard === undefined) return this.#store.commit(txn, op)
    const { fence, expectations } = guard
    // First, so that it is what is told of, also where something else has changed as well.
    const answer = await this.#store.commit({ ...txn, expect: [...expectations, ...(txn.expect ?? [])] }, op)
    if (!answer.committed && expectations.some(({ key }) => key === answer.key)) throw staleFence(fence, answer.key)
    return answer
  }

  get(key: string, op?: Op): Promise<Entry | undefined> {
    return this.#store.get(key, op)
  }

  list(prefix: string, op?: Op): Promise<Listing> {
    return this.#store.list(prefix, op)
  }

  watch(prefix: string, options: WatchOptions): AsyncIterable<Batch> {
    return this.#store.watch(prefix, options)
  }

  grantLease(ttlMs: number, op?: Op): Promise<Lease> {
    return this.#store.grantLease(ttlMs, op)
  }

  lease(id: string): Lease {
    return this.#store.lease(id)
  }

  close(): Promise<void> {
    return this.#store.close()
  }
}
