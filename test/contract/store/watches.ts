import { expect, it } from 'vitest'
import type { Batch } from '../../../src/core/store.ts'
import {
  applied,
  collected,
  commit,
  compacted,
  del,
  type OpenStore,
  put,
  rejects,
  revisionOf,
  ROOT,
  using,
  watchSome,
  watchTo,
} from './under-test.ts'

const never = new AbortController().signal

export function watchTests(open: OpenStore): void {
  it(
    'a watch from an old revision gets every later commit, then what comes',
    using(open, async (store) => {
      const base = await revisionOf(store)
      await commit(store, put('t/a', '1'))
      await commit(store, put('t/a', '2'), put('t/b', '1'))
      await commit(store, del('t/a'))
      const reading = watchSome(store, ROOT, base + 1, 3)
      await commit(store, put('t/c', '1'))
      expect(await reading).toEqual([
        {
          revision: base + 2,
          changes: [
            { op: 'put', entry: { key: 't/a', value: '2', revision: base + 2 } },
            { op: 'put', entry: { key: 't/b', value: '1', revision: base + 2 } },
          ],
        },
        { revision: base + 3, changes: [{ op: 'delete', key: 't/a' }] },
        { revision: base + 4, changes: [{ op: 'put', entry: { key: 't/c', value: '1', revision: base + 4 } }] },
      ])
    }),
  )

  it(
    'a watch sees only its prefix, and only the part of a commit that is under it',
    using(open, async (store) => {
      const base = await revisionOf(store)
      await commit(store, put('t/a/x', '1'), put('t/ab/x', '1'), put('t/b', '1'))
      await commit(store, put('t/ab/y', '2'))
      await commit(store, put('t/A/x', '3'))
      const last = await commit(store, del('t/b'), del('t/a/x'))
      const keysUnder = async (prefix: string) =>
        (await watchTo(store, prefix, base, last)).map(({ revision, changes }) =>
          [`+${revision - base}`].concat(
            changes.map((change) => (change.op === 'put' ? change.entry.key : `-${change.key}`)),
          ),
        )
      expect(await keysUnder('t/a/')).toEqual([
        ['+1', 't/a/x'],
        ['+4', '-t/a/x'],
      ])
      expect(await keysUnder('t/a')).toEqual([
        ['+1', 't/a/x', 't/ab/x'],
        ['+2', 't/ab/y'],
        ['+4', '-t/a/x'],
      ])
      expect(await keysUnder('t/b')).toEqual([
        ['+1', 't/b'],
        ['+4', '-t/b'],
      ])
    }),
  )

  it(
    'a watch of several prefixes gets each commit under any of them once, in one order',
    using(open, async (store) => {
      const base = await revisionOf(store)
      await commit(store, put('t/a/x', '1'), put('t/b', '1'), put('t/c/x', '1'))
      await commit(store, put('t/b', '2'))
      await commit(store, del('t/c/x'))
      const last = base + 5
      const reading = collected(store, 't/a/', { after: base, also: ['t/c/', 't/a/', 't/c/x'] }, last)
      await commit(store, put('t/c/y', '1'))
      await commit(store, put('t/a/x', '2'))
      const seen = (await reading).map(({ revision, changes }) => [revision - base, changes.length])
      expect(seen).toEqual([
        [1, 2],
        [3, 1],
        [4, 1],
        [5, 1],
      ])
    }),
  )

  it(
    'a watch has at most eight prefixes, each of which could begin a key',
    using(open, async (store) => {
      const many = Array.from({ length: 8 }, (_, index) => `t/${index}`)
      await rejects(collected(store, 't/a', { after: 0, also: many }, 1), 'TOO_LARGE')
      await rejects(collected(store, 't/a', { after: 0, also: ['t b'] }, 1), 'BAD_REQUEST')
    }),
  )

  it(
    'a deletion of an absent key, a commit of nothing and a lost race are not seen by any watch',
    using(open, async (store) => {
      const base = await revisionOf(store)
      await commit(store, del('t/none'))
      await commit(store)
      await store.commit({ expect: [{ key: 't/a', revision: 99 }], changes: [put('t/a', '1')] })
      const last = await commit(store, del('t/none'), put('t/end', ''))
      expect(await watchTo(store, ROOT, base, last)).toEqual([
        { revision: last, changes: [{ op: 'put', entry: { key: 't/end', value: '', revision: last } }] },
      ])
    }),
  )

  it(
    'while many commit, every watch gets every commit once and in order',
    using(open, async (store) => {
      const base = await revisionOf(store)
      const last = base + 200
      const readings = ['t/', 't/', 't/even/', 't/odd/'].map((prefix) => watchTo(store, prefix, base, last))
      await Promise.all(
        Array.from({ length: 10 }, async (_, writer) => {
          const prefix = writer % 2 === 0 ? 't/even/' : 't/odd/'
          for (let turn = 0; turn < 19; turn++) await commit(store, put(`${prefix}${writer}`, String(turn)))
        }),
      )
      for (let rest = 0; rest < 10; rest++) await commit(store, put('t/even/end', ''), put('t/odd/end', ''))
      const [first, second, even, odd] = await Promise.all(readings)
      expect(first?.map(({ revision }) => revision)).toEqual(
        Array.from({ length: 200 }, (_, index) => base + index + 1),
      )
      expect(second).toEqual(first)
      expect(even).toEqual(within(first ?? [], 't/even/'))
      expect(odd).toEqual(within(first ?? [], 't/odd/'))
    }),
  )

  it(
    'a list and a watch from its revision, taken while others commit, together miss nothing and repeat nothing',
    using(open, async (store) => {
      const writing = Promise.all(
        Array.from({ length: 4 }, async (_, writer) => {
          for (let turn = 0; turn < 40; turn++) {
            const key = `t/${writer}/${turn % 5}`
            await commit(store, turn % 3 === 2 ? del(key) : put(key, String(turn)))
          }
        }),
      )
      const listings = []
      for (let round = 0; round < 10; round++) listings.push(await store.list(ROOT))
      await writing
      const last = await commit(store, put('t/end', ''))
      const final = (await store.list(ROOT)).entries
      for (const { entries, revision } of listings) {
        const batches = await watchTo(store, ROOT, revision, last)
        expect(batches.every((batch) => batch.revision > revision)).toBe(true)
        expect(applied(entries, batches)).toEqual(final)
      }
    }),
  )

  it(
    'a reader that dawdles still gets everything',
    using(open, async (store) => {
      const base = await revisionOf(store)
      const reader = store.watch(ROOT, { after: base, signal: never })[Symbol.asyncIterator]()
      for (let index = 0; index < 300; index++) await commit(store, put('t/a', String(index)))
      for (let index = 0; index < 300; index++) {
        const { value } = (await reader.next()) as IteratorYieldResult<Batch>
        expect(value.revision).toBe(base + index + 1)
      }
      await reader.return?.()
    }),
  )

  endTests(open)
}

function endTests(open: OpenStore): void {
  it(
    'a waiting watch ends, without an error, when its signal aborts',
    using(open, async (store) => {
      const stop = new AbortController()
      const reader = store.watch(ROOT, { after: await revisionOf(store), signal: stop.signal })[Symbol.asyncIterator]()
      const first = reader.next()
      await commit(store, put('t/a', '1'))
      expect((await first).done).toBe(false)
      const second = reader.next()
      stop.abort()
      expect(await second).toEqual({ done: true, value: undefined })
    }),
  )

  it(
    'a watch whose signal was aborted before yields nothing',
    using(open, async (store) => {
      const base = await revisionOf(store)
      await commit(store, put('t/a', '1'))
      const reader = store.watch(ROOT, { after: base, signal: AbortSignal.abort() })[Symbol.asyncIterator]()
      expect(await reader.next()).toEqual({ done: true, value: undefined })
    }),
  )

  it(
    'leaving a watch disturbs neither the store nor another watch',
    using(open, async (store) => {
      const base = await revisionOf(store)
      const other = watchSome(store, ROOT, base, 3)
      await commit(store, put('t/a', '1'))
      for await (const batch of store.watch(ROOT, { after: base, signal: never })) {
        expect(batch.revision).toBe(base + 1)
        break
      }
      await commit(store, put('t/a', '2'))
      await commit(store, put('t/a', '3'))
      expect((await other).map(({ revision }) => revision)).toEqual([base + 1, base + 2, base + 3])
    }),
  )

  it(
    'a malformed place to start from is refused with BAD_REQUEST',
    using(open, async (store) => {
      for (const after of [-1, 0.5, Number.NaN]) await rejects(watchSome(store, ROOT, after, 1), 'BAD_REQUEST')
      await rejects(watchSome(store, 't/ ', 0, 1), 'BAD_REQUEST')
    }),
  )

  it(
    'a watch from ahead of the store is answered with COMPACTED, not with silence',
    using(open, async (store) => {
      await commit(store, put('t/a', '1'))
      await rejects(watchSome(store, ROOT, (await revisionOf(store)) + 1, 1), 'COMPACTED')
    }),
  )
}

export function compactionTests(open: OpenStore): void {
  const KEEP = { keepRevisions: 10 }

  it(
    'exactly the newest commits are held; from before them a watch throws COMPACTED',
    using(
      open,
      async (store, under) => {
        for (let index = 0; index < 50; index++) await commit(store, put('t/a', String(index)))
        const last = await revisionOf(store)
        await compacted(under)
        const held = await watchTo(store, ROOT, last - 10, last)
        expect(held.map(({ revision }) => revision)).toEqual(Array.from({ length: 10 }, (_, index) => last - 9 + index))
        await rejects(watchSome(store, ROOT, last - 11, 1), 'COMPACTED')
        await rejects(watchSome(store, 't/other/', last - 11, 1), 'COMPACTED')
      },
      KEEP,
    ),
  )

  it(
    'after COMPACTED, listing again and watching from there misses nothing',
    using(
      open,
      async (store, under) => {
        const base = await revisionOf(store)
        for (let index = 0; index < 30; index++) await commit(store, put(`t/${index % 7}`, String(index)))
        await compacted(under)
        await rejects(watchSome(store, ROOT, base, 1), 'COMPACTED')
        const { entries, revision } = await store.list(ROOT)
        await commit(store, del('t/3'))
        const last = await commit(store, put('t/0', 'new'))
        const batches = await watchTo(store, ROOT, revision, last)
        expect(applied(entries, batches)).toEqual((await store.list(ROOT)).entries)
      },
      KEEP,
    ),
  )

  it(
    'a reader that is overtaken by compaction gets COMPACTED, never a gap',
    using(
      open,
      async (store, under) => {
        const base = await revisionOf(store)
        const seen: number[] = []
        const reading = async (): Promise<void> => {
          for await (const { revision } of store.watch(ROOT, { after: base, signal: never })) {
            seen.push(revision)
            if (seen.length === 1) {
              for (let index = 0; index < 50; index++) await commit(store, put('t/a', 'later'))
              await compacted(under)
            }
            if (revision === base + 51) return
          }
        }
        const read = reading().then(
          () => 'all',
          (error: unknown) => (error as { code: string }).code,
        )
        await commit(store, put('t/a', 'first'))
        const outcome = await read
        expect(seen).toEqual(seen.map((_, index) => base + 1 + index))
        expect(outcome).toBe(seen.length === 51 ? 'all' : 'COMPACTED')
      },
      KEEP,
    ),
  )

  it(
    'a watch that waits on a quiet prefix is not compacted away by commits elsewhere',
    using(
      open,
      async (store, under) => {
        const base = await revisionOf(store)
        const reader = store.watch('t/quiet/', { after: base, signal: never })[Symbol.asyncIterator]()
        const first = reader.next()
        await commit(store, put('t/quiet/a', '1'))
        expect((await first).done).toBe(false)
        const second = reader.next()
        for (let index = 0; index < 50; index++) await commit(store, put('t/loud', String(index)))
        await compacted(under)
        const revision = await commit(store, put('t/quiet/a', '2'))
        expect(await second).toEqual({
          done: false,
          value: { revision, changes: [{ op: 'put', entry: { key: 't/quiet/a', value: '2', revision } }] },
        })
        await reader.return?.()
      },
      KEEP,
    ),
  )
}

function within(batches: readonly Batch[], prefix: string): readonly Batch[] {
  return batches
    .map(({ revision, changes }) => ({
      revision,
      changes: changes.filter((change) => (change.op === 'put' ? change.entry.key : change.key).startsWith(prefix)),
    }))
    .filter(({ changes }) => changes.length > 0)
}
