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

function setup({ keepRevisions = 1000, wrap = (store) => store }: Partial<SetupOptions> = {}): Setup {
  const clock = new VirtualClock()
  const store = new MemoryStore({ clock, keepRevisions })
  const changes: string[][] = []
  const mirror = new Mirror({
    store: wrap(store),
    prefix: 'desired/',
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
