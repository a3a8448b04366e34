import type { Batch, Store, WatchOptions } from '../../src/core/store.ts'
import { aborted } from '../../src/lib/waiting.ts'

/** A store of which some methods are others: for one fault at one place. */
export function storeInstead(store: Store, other: Partial<Store>): Store {
  return {
    get: async (key, op) => await store.get(key, op),
    list: async (prefix, op) => await store.list(prefix, op),
    commit: async (txn, op) => await store.commit(txn, op),
    watch: (prefix, options) => store.watch(prefix, options),
    grantLease: async (ttlMs, op) => await store.grantLease(ttlMs, op),
    lease: (id) => store.lease(id),
    close: async () => await store.close(),
    ...other,
  }
}

/** A watch over a connection that died without a word: it never yields anything. */
export function silentWatch(_: string, { signal }: WatchOptions): AsyncIterable<Batch> {
  const next = async (): Promise<IteratorResult<Batch>> => {
    await aborted(signal)
    return { done: true, value: undefined }
  }
  return { [Symbol.asyncIterator]: () => ({ next }) }
}
