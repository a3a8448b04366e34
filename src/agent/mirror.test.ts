import { expect, onTestFinished, test } from 'vitest'
import { silentWatch, storeInstead } from '../../test/helpers/store-instead.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { FlotillaError } from '../core/errors.ts'
import type { Listing, Store, WatchOptions } from '../core/store.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { Mirror } from './mirror.ts'

interface Setup {
  readonly clock: VirtualClock
  readonly store: Store
  readonly mirror: Mirror
  readonly changes: string[][]
  readonly run: () => Promise<unknown>
  readonly put: (key: string, value: string) => Promise<void>
}

function setup({ keepRevisions = 1000, wrap = (store) => store, also = [] }: Partial<SetupOptions> = {}): Setup {
  const clock = new VirtualClock()
  const store = new MemoryStore({ clock, keepRevisions })
  const changes: string[][] = []
  const mirror = new Mirror({
    store: wrap(store),
    prefixes: ['desired/', ...also],
    onChange: (keys) => void changes.push([...keys]),
  })
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  return {
    clock,
    store,
    mirror,
    changes,
    run: async () => await mirror.run(stop.signal).catch((error: unknown) => error),
    async put(key, value) {
      await store.commit({ changes: [{ op: 'put', key, value }] })
    },
  }
}

interface SetupOptions {
  readonly keepRevisions: number
  readonly wrap: (store: Store) => Store
  readonly also: readonly string[]
}

const valuesOf = (mirror: Mirror): object =>
  Object.fromEntries([...mirror.entries].map(([key, { value }]) => [key, value]))

test('it starts with what is there, and follows every change under its prefix', async () => {
  const { clock, mirror, changes, run, put, store } = setup()
  await put('desired/a', '1')
  await put('other/a', '1')
  void run()
  await clock.advance(0)
  expect(valuesOf(mirror)).toEqual({ 'desired/a': '1' })
  await put('desired/b', '2')
  await put('other/b', '2')
  await store.commit({ changes: [{ op: 'delete', key: 'desired/a' }] })
  await clock.advance(0)
  expect(valuesOf(mirror)).toEqual({ 'desired/b': '2' })
  expect(changes).toEqual([['desired/a'], ['desired/b'], ['desired/a']])
  expect(mirror.revision).toBe(5)
})

test('it tells once that it has reached a store that is empty', async () => {
  const { clock, mirror, changes, run } = setup()
  expect(mirror.revision).toBeUndefined()
  void run()
  await clock.advance(0)
  expect(changes).toEqual([[]])
  expect(mirror.revision).toBe(0)
})

test('a watch that breaks ends the run, and the next run goes on where it ended, without a list', async () => {
  let lists = 0
  let broken = new AbortController()
  const wrap = (store: Store): Store =>
    storeInstead(store, {
      list: async (prefix) => {
        lists += 1
        return await store.list(prefix)
      },
      async *watch(prefix: string, { after, signal }: WatchOptions) {
        yield* store.watch(prefix, { after, signal: AbortSignal.any([signal, broken.signal]) })
        if (!signal.aborted) throw new FlotillaError('UNREACHABLE', 'the hub went away')
      },
    })
  const { clock, mirror, changes, run, put } = setup({ wrap })
  const first = run()
  await put('desired/a', '1')
  await clock.advance(0)
  broken.abort()
  expect(await first).toMatchObject({ code: 'UNREACHABLE' })
  await put('desired/a', '2')
  expect(valuesOf(mirror)).toEqual({ 'desired/a': '1' })
  broken = new AbortController()
  void run()
  await clock.advance(0)
  expect(valuesOf(mirror)).toEqual({ 'desired/a': '2' })
  expect(changes.at(-1)).toEqual(['desired/a'])
  expect(lists).toBe(1)
})

test('a watch that ends by itself is a failure: it must not be started again without a pause', async () => {
  const { run } = setup({ wrap: (store) => storeInstead(store, { async *watch() {} }) })
  expect(await run()).toMatchObject({ code: 'UNREACHABLE' })
})

test('when what it missed is compacted it lists again, and tells what differs', async () => {
  let broken = new AbortController()
  const wrap = (store: Store): Store =>
    storeInstead(store, {
      async *watch(prefix: string, { after, signal }: WatchOptions) {
        yield* store.watch(prefix, { after, signal: AbortSignal.any([signal, broken.signal]) })
      },
    })
  const { clock, mirror, run, put, store } = setup({ keepRevisions: 5, wrap })
  await put('desired/gone', '1')
  const first = run()
  await clock.advance(0)
  broken.abort()
  await first
  await store.commit({ changes: [{ op: 'delete', key: 'desired/gone' }] })
  await put('desired/new', '1')
  for (let commit = 0; commit < 20; commit++) await put('other', `${commit}`)
  broken = new AbortController()
  void run()
  await clock.advance(0)
  expect(valuesOf(mirror)).toEqual({ 'desired/new': '1' })
  await put('desired/new', '2')
  await clock.advance(0)
  expect(valuesOf(mirror)).toEqual({ 'desired/new': '2' })
})

test('a listing that is older than what the watch brought meanwhile is dropped', async () => {
  let release: (() => void) | undefined
  let slow = false
  const wrap = (store: Store): Store =>
    storeInstead(store, {
      list: async (prefix): Promise<Listing> => {
        const listing = await store.list(prefix)
        if (slow) await new Promise<void>((resolve) => (release = resolve))
        return listing
      },
    })
  const { clock, mirror, run, put } = setup({ wrap })
  await put('desired/a', '1')
  void run()
  await clock.advance(0)
  slow = true
  const refreshing = mirror.refresh({})
  await clock.advance(0)
  await put('desired/a', '2')
  await clock.advance(0)
  release?.()
  await refreshing
  expect(valuesOf(mirror)).toEqual({ 'desired/a': '2' })
  expect(mirror.revision).toBe(2)
})

test('refreshing finds what a watch that died in silence did not bring, and tells only of that', async () => {
  const { clock, mirror, changes, run, put } = setup({ wrap: (store) => storeInstead(store, { watch: silentWatch }) })
  await put('desired/a', '1')
  void run()
  await clock.advance(0)
  await put('desired/b', '1')
  await mirror.refresh({})
  await mirror.refresh({})
  expect(valuesOf(mirror)).toEqual({ 'desired/a': '1', 'desired/b': '1' })
  expect(changes).toEqual([['desired/a'], ['desired/b']])
})

test('several prefixes are followed in one order, by one watch', async () => {
  let watches = 0
  const wrap = (store: Store): Store =>
    storeInstead(store, {
      watch: (prefix, options) => {
        watches += 1
        return store.watch(prefix, options)
      },
    })
  const { clock, mirror, changes, run, put, store } = setup({ wrap, also: ['list/'] })
  void run()
  await put('list/x', '1')
  await put('other/x', '1')
  await store.commit({
    changes: [
      { op: 'put', key: 'desired/a', value: '2' },
      { op: 'put', key: 'list/y', value: '2' },
    ],
  })
  await clock.advance(0)
  expect(valuesOf(mirror)).toEqual({ 'list/x': '1', 'list/y': '2', 'desired/a': '2' })
  expect([mirror.revision, watches]).toEqual([3, 1])
  expect(changes.at(-1)).toEqual(['desired/a', 'list/y'])
})

test('lists that are of several moments count as of the first, and what is only in some is told again', async () => {
  let between: (() => Promise<void>) | undefined
  const wrap = (store: Store): Store =>
    storeInstead(store, {
      list: async (prefix) => {
        if (prefix === 'list/') await between?.()
        return await store.list(prefix)
      },
      watch: silentWatch,
    })
  const { clock, mirror, changes, run, put, store } = setup({ wrap, also: ['list/'] })
  await put('desired/a', '1')
  await put('list/x', '1')
  void run()
  await clock.advance(0)
  expect(mirror.revision).toBe(2)
  between = async () => {
    between = undefined
    await store.commit({ changes: [{ op: 'delete', key: 'list/x' }] })
  }
  await mirror.refresh({})
  expect([mirror.revision, changes.at(-1)]).toEqual([2, ['list/x']])
  await mirror.refresh({})
  expect([mirror.revision, changes.at(-1)]).toEqual([3, ['list/x']])
  const told = changes.length
  await mirror.refresh({})
  expect(changes).toHaveLength(told)
})

test('what the watch brings after a list that had it already changes nothing back', async () => {
  let late: (() => void) | undefined
  let isLate = false
  const wrap = (store: Store): Store =>
    storeInstead(store, {
      list: async (prefix) => await store.list(prefix),
      async *watch(prefix: string, options: WatchOptions) {
        for await (const batch of store.watch(prefix, options)) {
          if (isLate) await new Promise<void>((resolve) => (late = resolve))
          yield batch
        }
      },
    })
  const { clock, mirror, run, put, store } = setup({ wrap, also: ['list/'] })
  await put('desired/a', '1')
  void run()
  await clock.advance(0)
  isLate = true
  await put('desired/a', '2')
  await store.commit({ changes: [{ op: 'delete', key: 'desired/a' }] })
  await put('desired/a', '3')
  await mirror.refresh({})
  for (let batch = 0; batch < 3; batch++) {
    await clock.advance(0)
    late?.()
    await clock.advance(0)
    expect(valuesOf(mirror)).toEqual({ 'desired/a': '3' })
  }
})

test('a store that went back to a copy of itself is believed, also where the watch does not say so', async () => {
  const clock = new VirtualClock()
  const [before, copy] = [new MemoryStore({ clock }), new MemoryStore({ clock })]
  let current: Store = before
  const store: Store = storeInstead(before, {
    list: async (prefix) => await current.list(prefix),
    watch: silentWatch,
  })
  const changes: string[][] = []
  const mirror = new Mirror({ store, prefixes: ['desired/'], onChange: (keys) => void changes.push([...keys]) })
  for (const value of ['1', '2', '3']) {
    await before.commit({ changes: [{ op: 'put', key: 'desired/a', value }] })
    if (value === '1') await copy.commit({ changes: [{ op: 'put', key: 'desired/a', value }] })
  }
  await mirror.refresh({})
  expect([valuesOf(mirror), mirror.revision]).toEqual([{ 'desired/a': '3' }, 3])
  current = copy
  await mirror.refresh({})
  expect([valuesOf(mirror), mirror.revision]).toEqual([{ 'desired/a': '1' }, 1])
  expect(changes.at(-1)).toEqual(['desired/a'])
})
