import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import type { ErrorCode } from '../../../src/core/errors.ts'
import type { Batch, Entry, Store, WatchOptions, Write } from '../../../src/core/store.ts'

/** A store that a suite runs on, and what the suite may do to it from outside. */
export interface StoreUnderTest {
  readonly store: Store
  /** Lets time pass for leases. Absent where the store's time cannot be moved: the suite then really waits. */
  advance?(ms: number): Promise<void>
  /** How much later than asked for a lease may end; 0 unless told. */
  readonly lateMs?: number
  /** Lets go of old commits now. Absent where every commit does. */
  compact?(): Promise<void>
  /** Call after `store.close()`: the same data, opened anew by a new process or as good as one. */
  reopen?(): Promise<Store>
  /** Closes whatever is open and removes what was made for the test. */
  close(): Promise<void>
}

export interface StoreSettings {
  /** How many commits the store holds for watches, exactly. Absent: enough for any test here. */
  readonly keepRevisions?: number
}

export type OpenStore = (settings?: StoreSettings) => Promise<StoreUnderTest>

/** The body of a test with a store of its own. */
export function using(
  open: OpenStore,
  body: (store: Store, under: StoreUnderTest) => Promise<void>,
  settings: StoreSettings = {},
): () => Promise<void> {
  return async () => {
    const under = await open(settings)
    try {
      await body(under.store, under)
    } finally {
      await under.close()
    }
  }
}

/** The suites write below this prefix only: a store may hold keys of its own beside it. */
export const ROOT = 't/'

export const put = (key: string, value: string, leaseId?: string): Write => ({
  op: 'put',
  key,
  value,
  ...(leaseId === undefined ? {} : { leaseId }),
})

export const del = (key: string): Write => ({ op: 'delete', key })

/** Commits without expectations and answers the new revision. */
export async function commit(store: Store, ...changes: readonly Write[]): Promise<number> {
  const answer = await store.commit({ changes })
  if (!answer.committed) throw new Error('a commit without expectations lost a race')
  return answer.revision
}

export async function revisionOf(store: Store): Promise<number> {
  const { revision } = await store.list(ROOT)
  return revision
}

/** Watches until `enough` is content with what came, then stops. */
async function watchUntil(
  store: Store,
  prefix: string,
  options: Omit<WatchOptions, 'signal'>,
  enough: (batches: readonly Batch[]) => boolean,
): Promise<readonly Batch[]> {
  const stop = new AbortController()
  const batches: Batch[] = []
  for await (const batch of store.watch(prefix, { ...options, signal: stop.signal })) {
    batches.push(batch)
    if (enough(batches)) stop.abort()
  }
  return batches
}

/** The first `count` batches. */
export async function watchSome(store: Store, prefix: string, after: number, count: number): Promise<readonly Batch[]> {
  return await watchUntil(store, prefix, { after }, (batches) => batches.length >= count)
}

/** Everything under `prefix` from `after` up to and including the commit of revision `last`, which must be there. */
export async function watchTo(store: Store, prefix: string, after: number, last: number): Promise<readonly Batch[]> {
  return await watchUntil(store, prefix, { after }, (batches) => (batches.at(-1)?.revision ?? 0) >= last)
}

/** The same of a watch with options. */
export async function collected(
  store: Store,
  prefix: string,
  options: Omit<WatchOptions, 'signal'>,
  last: number,
): Promise<readonly Batch[]> {
  return await watchUntil(store, prefix, options, (batches) => (batches.at(-1)?.revision ?? 0) >= last)
}

/** What a reader holds who started from `entries` and applied `batches`. */
export function applied(entries: readonly Entry[], batches: readonly Batch[]): readonly Entry[] {
  const held = new Map(entries.map((entry) => [entry.key, entry]))
  for (const { changes } of batches) {
    for (const change of changes) {
      if (change.op === 'put') held.set(change.entry.key, change.entry)
      else held.delete(change.key)
    }
  }
  return [...held.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1))
}

export async function rejects(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  await expect(promise).rejects.toMatchObject({ code })
}

/** Lets go of what is more than the store holds for watches. */
export async function compacted(under: StoreUnderTest): Promise<void> {
  await under.compact?.()
}

/** Lets `ms` pass for the store's leases. */
export async function pass(under: StoreUnderTest, ms: number): Promise<void> {
  await (under.advance === undefined ? delay(ms) : under.advance(ms))
}
