import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Store } from '../../../src/core/store.ts'
import { commit, del, type OpenStore, put, rejects, revisionOf, ROOT, using } from './under-test.ts'

export function commitTests(open: OpenStore): void {
  it(
    'an absent key is undefined',
    using(open, async (store) => {
      expect(await store.get('t/none')).toBeUndefined()
      expect((await store.list(ROOT)).entries).toEqual([])
    }),
  )

  it(
    'every commit makes the next revision and stamps it on what it wrote',
    using(open, async (store) => {
      const base = await revisionOf(store)
      expect(await commit(store, put('t/a', '1'))).toBe(base + 1)
      expect(await commit(store, put('t/b', '2'), put('t/c', '3'))).toBe(base + 2)
      expect(await commit(store, put('t/a', '4'), del('t/b'))).toBe(base + 3)
      expect(await store.get('t/a')).toEqual({ key: 't/a', value: '4', revision: base + 3 })
      expect(await store.get('t/b')).toBeUndefined()
      expect(await store.list(ROOT)).toEqual({
        entries: [
          { key: 't/a', value: '4', revision: base + 3 },
          { key: 't/c', value: '3', revision: base + 2 },
        ],
        revision: base + 3,
      })
    }),
  )

  it(
    'deleting an absent key and changing nothing still make a revision',
    using(open, async (store) => {
      const base = await revisionOf(store)
      expect(await commit(store, del('t/none'))).toBe(base + 1)
      expect(await commit(store)).toBe(base + 2)
      expect(await store.list(ROOT)).toEqual({ entries: [], revision: base + 2 })
    }),
  )

  it(
    'a key written twice in one transaction is refused whole',
    using(open, async (store) => {
      const base = await revisionOf(store)
      await rejects(store.commit({ changes: [put('t/a', '1'), put('t/b', '1'), del('t/a')] }), 'BAD_REQUEST')
      expect(await store.list(ROOT)).toEqual({ entries: [], revision: base })
    }),
  )

  expectationTests(open)
  concurrencyTests(open)
  abortTests(open)
}

function expectationTests(open: OpenStore): void {
  it(
    'a commit whose every expectation holds is applied',
    using(open, async (store) => {
      const first = await commit(store, put('t/a', '1'), put('t/b', '1'))
      const answer = await store.commit({
        expect: [
          { key: 't/a', revision: first },
          { key: 't/b', revision: first },
          { key: 't/c', revision: 0 },
        ],
        changes: [put('t/a', '2'), del('t/b'), put('t/c', '2')],
      })
      expect(answer).toEqual({ committed: true, revision: first + 1 })
      expect((await store.list(ROOT)).entries.map(({ key, value }) => [key, value])).toEqual([
        ['t/a', '2'],
        ['t/c', '2'],
      ])
    }),
  )

  it(
    'one expectation that fails changes nothing, uses no revision, and is named with what is there',
    using(open, async (store) => {
      const first = await commit(store, put('t/a', '1'))
      const second = await commit(store, put('t/b', '1'))
      const answer = await store.commit({
        expect: [
          { key: 't/a', revision: first },
          { key: 't/b', revision: first },
          { key: 't/c', revision: 7 },
        ],
        changes: [put('t/a', '2'), put('t/d', '2')],
      })
      expect(answer).toEqual({ committed: false, key: 't/b', actual: second })
      expect(await store.get('t/a')).toEqual({ key: 't/a', value: '1', revision: first })
      expect(await store.get('t/d')).toBeUndefined()
      expect(await revisionOf(store)).toBe(second)
    }),
  )

  it(
    'revision 0 expects absence, also after a deletion',
    using(open, async (store) => {
      const create = (value: string) =>
        store.commit({ expect: [{ key: 't/a', revision: 0 }], changes: [put('t/a', value)] })
      const first = await create('1')
      expect(first).toMatchObject({ committed: true })
      expect(await create('2')).toEqual({ committed: false, key: 't/a', actual: await revisionOf(store) })
      const gone = await commit(store, del('t/a'))
      expect(await store.commit({ expect: [{ key: 't/a', revision: gone }], changes: [] })).toEqual({
        committed: false,
        key: 't/a',
        actual: 0,
      })
      expect(await create('3')).toEqual({ committed: true, revision: gone + 1 })
    }),
  )
}

function concurrencyTests(open: OpenStore): void {
  it(
    'commits made at once each get their own revision, none left out',
    using(open, async (store) => {
      const base = await revisionOf(store)
      const revisions = await Promise.all(
        Array.from({ length: 200 }, (_, index) => commit(store, put(`t/${index}`, String(index)))),
      )
      expect(revisions.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, index) => base + index + 1))
      for (const { key, value, revision } of (await store.list(ROOT)).entries) {
        expect(key).toBe(`t/${value}`)
        expect(revision).toBe(revisions[Number(value)])
      }
    }),
  )

  it(
    'of commits made at once on the same expectation exactly one wins, and it spoils no other in the same moment',
    using(open, async (store) => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) => [
          store.commit({ expect: [{ key: 't/lock', revision: 0 }], changes: [put('t/lock', String(index))] }),
          store.commit({ changes: [put(`t/own/${index}`, '')] }),
        ]).flat(),
      )
      const locks = answers.filter((_, index) => index % 2 === 0)
      const winner = locks.findIndex(({ committed }) => committed)
      expect(locks.filter(({ committed }) => committed)).toHaveLength(1)
      expect((await store.get('t/lock'))?.value).toBe(String(winner))
      expect((await store.list('t/own/')).entries).toHaveLength(20)
    }),
  )

  it(
    'counting by compare-and-set from many sides loses no count',
    using(open, async (store) => {
      await Promise.all(Array.from({ length: 8 }, () => countUp(store, 10)))
      expect((await store.get('t/count'))?.value).toBe('80')
    }),
  )

  it(
    'a reader never sees half a transaction',
    using(open, async (store) => {
      await commit(store, put('t/left', '50'), put('t/right', '50'))
      const moving = { done: false }
      const mover = async (): Promise<void> => {
        for (let left = 0; left < 50; left++) {
          await commit(store, put('t/left', String(left)), put('t/right', String(100 - left)))
        }
        moving.done = true
      }
      const reader = async (): Promise<void> => {
        while (!moving.done) {
          const { entries } = await store.list(ROOT)
          expect(entries.reduce((sum, { value }) => sum + Number(value), 0)).toBe(100)
          await turn()
        }
      }
      await Promise.all([mover(), reader(), reader()])
    }),
  )
}

async function countUp(store: Store, times: number): Promise<void> {
  for (let done = 0; done < times;) {
    const current = await store.get('t/count')
    const answer = await store.commit({
      expect: [{ key: 't/count', revision: current?.revision ?? 0 }],
      changes: [put('t/count', String(Number(current?.value ?? 0) + 1))],
    })
    if (answer.committed) done++
  }
}

function abortTests(open: OpenStore): void {
  it(
    'an operation whose signal was aborted before rejects with the reason and has no effect',
    using(open, async (store) => {
      const base = await revisionOf(store)
      const reason = new Error('no longer wanted')
      const op = { signal: AbortSignal.abort(reason) }
      await expect(store.commit({ changes: [put('t/a', '1')] }, op)).rejects.toBe(reason)
      await expect(store.get('t/a', op)).rejects.toBe(reason)
      await expect(store.list(ROOT, op)).rejects.toBe(reason)
      await expect(store.grantLease(5000, op)).rejects.toBe(reason)
      expect(await store.list(ROOT)).toEqual({ entries: [], revision: base })
    }),
  )

  it(
    'a commit aborted while it is under way is applied whole or not at all',
    using(open, async (store) => {
      for (let round = 0; round < 20; round++) {
        const stop = new AbortController()
        const commits = store
          .commit({ changes: [put('t/a', String(round)), put('t/b', String(round))] }, { signal: stop.signal })
          .catch((error: unknown) => error)
        stop.abort(new Error('no longer wanted'))
        await commits
        const { entries } = await store.list(ROOT)
        expect(entries[0]?.value).toBe(entries[1]?.value)
      }
    }),
  )
}
