import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isError } from '../../src/core/errors.ts'
import type { Batch, Commit, Store, Txn, Write } from '../../src/core/store.ts'
import { ReferenceStore } from './store/reference.ts'
import {
  compacted,
  type OpenStore,
  rejects,
  revisionOf,
  type StoreUnderTest,
  watchSome,
  watchTo,
} from './store/under-test.ts'

export interface PropertyOptions {
  /** Sequences that are tried. */
  readonly runs?: number
  /** Whether data outlives the process: `open` then offers `reopen`. */
  readonly restarts: boolean
}

/** Any sequence of operations is answered as the contract in its plainest form answers it. */
export function storeProperties(name: string, open: OpenStore, { runs = 60, restarts }: PropertyOptions): void {
  describe(`${name} does as the reference does`, () => {
    it(
      'for any sequence of operations',
      async () => {
        await fc.assert(
          fc.asyncProperty(fc.array(restarts ? withRestarts : step, { maxLength: 40 }), (steps) => play(open, steps)),
          { numRuns: runs * TIMES },
        )
      },
      120_000 * TIMES,
    )
  })
}

const TIMES = process.env['FLOTILLA_SOAK'] === '1' ? 50 : 1

/** Few enough that they are exceeded. */
const KEEP = 12
const LEASE_MS = 3_600_000

const key = fc.constantFrom('t/a', 't/a/b', 't/ab', 't/b', 't/__proto__', 't/~')
const prefix = fc.constantFrom('t/', 't/a', 't/a/', 't/b', 't/none')
const write = fc.record({
  key,
  value: fc.option(fc.string({ unit: 'binary', maxLength: 6 })),
  lease: fc.option(fc.nat({ max: 9 }), { freq: 1 }),
})
const commit = fc.record({
  do: fc.constant('commit' as const),
  expect: fc.array(fc.record({ key, as: fc.constantFrom('it is' as const, 'absent' as const, 'other' as const) }), {
    maxLength: 3,
  }),
  changes: fc.uniqueArray(write, { selector: (change) => change.key, maxLength: 4 }),
})
const step = fc.oneof(
  { arbitrary: commit, weight: 6 },
  fc.record({ do: fc.constant('get' as const), key }),
  fc.record({ do: fc.constant('list' as const), prefix }),
  fc.record({ do: fc.constant('watch' as const), prefix, back: fc.integer({ min: -1, max: KEEP + 2 }) }),
  fc.record({ do: fc.constant('grant' as const) }),
  fc.record({ do: fc.constant('revoke' as const), lease: fc.nat({ max: 3 }) }),
)
const withRestarts = fc.oneof({ arbitrary: step, weight: 12 }, fc.record({ do: fc.constant('restart' as const) }))

type Step = typeof withRestarts extends fc.Arbitrary<infer S> ? S : never

interface Scene {
  store: Store
  readonly under: StoreUnderTest
  readonly reference: ReferenceStore
  readonly leases: string[]
}

async function play(open: OpenStore, steps: readonly Step[]): Promise<void> {
  const under = await open({ keepRevisions: KEEP })
  try {
    const reference = new ReferenceStore(await revisionOf(under.store), KEEP)
    await compacted(under)
    const scene: Scene = { store: under.store, under, reference, leases: [] }
    for (const step of steps) await take(scene, step)
    expect(await scene.store.list('t/')).toEqual(reference.list('t/'))
  } finally {
    await under.close()
  }
}

async function take(scene: Scene, step: Step): Promise<void> {
  const { store, under, reference, leases } = scene
  switch (step.do) {
    case 'get':
      expect(await store.get(step.key)).toEqual(reference.get(step.key))
      return
    case 'list':
      expect(await store.list(step.prefix)).toEqual(reference.list(step.prefix))
      return
    case 'watch':
      await compareWatch(scene, step.prefix, reference.revision - step.back)
      return
    case 'commit':
      await compareCommit(scene, toTxn(scene, step))
      return
    case 'grant': {
      const { id } = await store.grantLease(LEASE_MS)
      leases.push(id)
      reference.grant(id)
      return
    }
    case 'revoke': {
      const id = leases[step.lease] ?? 'never granted'
      await store.lease(id).revoke()
      await compacted(under)
      reference.revoke(id)
      return
    }
    case 'restart':
      await store.close()
      scene.store = (await under.reopen?.()) ?? store
  }
}

function toTxn({ reference, leases }: Scene, step: Step & { readonly do: 'commit' }): Txn {
  const changes = step.changes.map(({ key, value, lease }): Write => {
    if (value === null) return { op: 'delete', key }
    if (lease === 9) return { op: 'put', key, value, leaseId: 'never granted' }
    const leaseId = lease === null ? undefined : leases[lease % leases.length]
    return leaseId === undefined ? { op: 'put', key, value } : { op: 'put', key, value, leaseId }
  })
  const expectations = step.expect.map(({ key, as }) => {
    const actual = reference.get(key)?.revision ?? 0
    return { key, revision: { 'it is': actual, absent: 0, other: actual + 1 }[as] }
  })
  return { expect: expectations, changes }
}

async function compareCommit({ store, under, reference }: Scene, txn: Txn): Promise<void> {
  let expected: Commit
  try {
    expected = reference.commit(txn)
  } catch (error) {
    if (!isError(error, 'LEASE_ENDED')) throw error
    await rejects(store.commit(txn), 'LEASE_ENDED')
    return
  }
  expect(await store.commit(txn)).toEqual(expected)
  await compacted(under)
}

async function compareWatch({ store, reference }: Scene, prefix: string, after: number): Promise<void> {
  if (after < 0) return
  const expected = reference.watched(prefix, after)
  if (expected === undefined) await rejects(watchSome(store, prefix, after, 1), 'COMPACTED')
  else expect(await read(store, prefix, after, expected.at(-1)?.revision)).toEqual(expected)
}

/** Up to a revision that must come; nothing if none must. */
async function read(store: Store, prefix: string, after: number, last?: number): Promise<readonly Batch[]> {
  return last === undefined ? [] : await watchTo(store, prefix, after, last)
}
