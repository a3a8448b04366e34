import { describe, expect, onTestFinished, test } from 'vitest'
import { silentWatch, storeInstead } from '../../test/helpers/store-instead.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { MemoryBus } from '../bus/memory/memory-bus.ts'
import { NO_LISTS } from '../core/lists.ts'
import { silent } from '../core/log.ts'
import type { Store } from '../core/store.ts'
import { supervise } from '../lib/supervise.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { WantedFeed } from './wanted.ts'

class Setup {
  readonly clock = new VirtualClock()
  /** Another may take its place. */
  store = new MemoryStore({ clock: this.clock })
  readonly bus = new MemoryBus()
  readonly told: string[] = []
  readonly feed: WantedFeed
  readonly stop = new AbortController()
  lists = 0

  constructor({ watches = true }: { readonly watches?: boolean } = {}) {
    onTestFinished(() => this.stop.abort())
    const store: Store = storeInstead(this.store, {
      list: async (prefix, op) => {
        this.lists += 1
        return await this.store.list(prefix, op)
      },
      watch: (prefix, options) => this.store.watch(prefix, options),
      // A watch over a connection that died in silence.
      ...(!watches && { watch: silentWatch }),
    })
    this.feed = new WantedFeed({
      node: 'erd1',
      trees: ['datasets', 'layers'],
      store,
      bus: this.bus,
      clock: this.clock,
      log: silent,
      random: () => 0.5,
      intervalMs: 30_000,
      onChange: (tree) => void this.told.push(tree),
    })
  }

  async start(): Promise<void> {
    const { clock, stop } = this
    void supervise(this.feed.services(), { clock, log: silent, random: () => 0, signal: stop.signal })
    await clock.advance(0)
  }

  async put(key: string, value: object): Promise<number> {
    const commit = await this.store.commit({ changes: [{ op: 'put', key, value: JSON.stringify(value) }] })
    await this.clock.advance(0)
    return commit.committed ? commit.revision : 0
  }

  async delete(key: string): Promise<void> {
    await this.store.commit({ changes: [{ op: 'delete', key }] })
    await this.clock.advance(0)
  }
}

const request = (item: string) => ({ kind: 'reload', item, author: 'anna', atMs: 1 }) as const

test('what is wanted is the release and the requests of one tree, the oldest first', async () => {
  const at = new Setup()
  await at.start()
  const second = await at.put('request/datasets/reload/b', request('b'))
  const third = await at.put('request/datasets/reload/a', request('a'))
  await at.put('request/layers/reload/x', request('x'))
  await at.put('desired/datasets', { release: 3, manifest: 'm3' })
  expect(at.feed.get('datasets')).toEqual({
    desired: { release: 3, manifest: 'm3' },
    requests: [
      { ...request('b'), generation: second },
      { ...request('a'), generation: third },
    ],
    lists: NO_LISTS,
    asOf: third + 2,
  })
  expect(at.feed.get('layers')).toBeUndefined()
})

test('a change costs no request: the watch has brought it', async () => {
  const at = new Setup()
  await at.start()
  const { lists } = at
  await at.put('desired/datasets', { release: 3, manifest: 'm3' })
  expect(at.feed.get('datasets')?.desired.release).toBe(3)
  expect(at.lists).toBe(lists)
})

test('every tree is told once when the store is reached, then each of its own', async () => {
  const at = new Setup()
  await at.put('request/datasets/reload/b', request('b'))
  await at.start()
  expect(at.told).toEqual(['datasets', 'layers'])
  await at.put('request/layers/reload/b', request('b'))
  await at.put('desired/layers', { release: 1, manifest: 'm' })
  await at.put('desired/unknown', { release: 1, manifest: 'm' })
  expect(at.told).toEqual(['datasets', 'layers', 'layers', 'layers'])
})

test('what is no release and no request is as good as absent, whatever else it is', async () => {
  const at = new Setup()
  await at.start()
  const nonsense = [
    '',
    '{',
    'null',
    '5',
    '"x"',
    '[]',
    '{}',
    '{"release":"1","manifest":"m"}',
    '{"release":1,"manifest":5}',
  ]
  for (const value of nonsense) {
    await at.store.commit({ changes: [{ op: 'put', key: 'desired/datasets', value }] })
    await at.clock.advance(0)
    expect(at.feed.get('datasets')).toBeUndefined()
  }
  for (const [index, value] of [...nonsense, '{"kind":"reload","item":5}', '{"kind":"other","item":"x"}'].entries()) {
    await at.store.commit({ changes: [{ op: 'put', key: `request/datasets/reload/d${index}`, value }] })
  }
  await at.put('request/datasets/reload/a', request('a'))
  await at.put('desired/datasets', { release: 1, manifest: 'm' })
  expect(at.feed.get('datasets')?.requests.map(({ item }) => item)).toEqual(['a'])
})

test('nothing is known before the store is reached', () => {
  const at = new Setup()
  expect(at.feed.known).toBe(false)
  expect(at.feed.get('datasets')).toBeUndefined()
})

test('where the watch is dead, a hint makes it look', async () => {
  const at = new Setup({ watches: false })
  await at.start()
  const revision = await at.put('desired/datasets', { release: 3, manifest: 'm3' })
  expect(at.feed.get('datasets')).toBeUndefined()
  await at.bus.publish({ prefix: 'desired/datasets', revision })
  await at.clock.advance(0)
  expect(at.feed.get('datasets')?.desired.release).toBe(3)
  expect(at.told).toEqual(['datasets', 'layers', 'datasets'])
})

test('where the watch is dead and no hint comes, the interval makes it look', async () => {
  const at = new Setup({ watches: false })
  await at.start()
  await at.put('desired/datasets', { release: 3, manifest: 'm3' })
  await at.clock.advance(29_999)
  expect(at.feed.get('datasets')).toBeUndefined()
  await at.clock.advance(1)
  expect(at.feed.get('datasets')?.desired.release).toBe(3)
})

test('a person who asks makes it look', async () => {
  const at = new Setup({ watches: false })
  await at.start()
  await at.put('desired/datasets', { release: 3, manifest: 'm3' })
  at.feed.look()
  await at.clock.advance(0)
  expect(at.feed.get('datasets')?.desired.release).toBe(3)
})

test('hints of what is known, or of something else, cost nothing', async () => {
  const at = new Setup()
  await at.start()
  const revision = await at.put('desired/datasets', { release: 3, manifest: 'm3' })
  const { lists } = at
  await at.bus.publish({ prefix: 'desired/datasets', revision })
  await at.bus.publish({ prefix: 'node/', revision: 999 })
  await at.bus.publish({ prefix: 'desire', revision: 1 })
  await at.clock.advance(1000)
  expect(at.lists).toBe(lists)
})

test('a flood of hints that are never true is a few lists a second', async () => {
  const at = new Setup()
  await at.start()
  const { lists } = at
  for (let hint = 0; hint < 1000; hint++) {
    await at.bus.publish({ prefix: 'desired/', revision: 1_000_000 + hint })
    await at.clock.advance(1)
  }
  // Each is of three prefixes.
  expect(at.lists - lists).toBeLessThanOrEqual(3 * 5)
})

test('a value that cannot be read is as good as none', async () => {
  const at = new Setup()
  await at.start()
  await at.store.commit({ changes: [{ op: 'put', key: 'desired/datasets', value: '{' }] })
  await at.clock.advance(0)
  expect(at.feed.get('datasets')).toBeUndefined()
})

const base = { release: 3, manifest: 'm3' }
const pin = { release: 4, manifest: 'm4', by: 'rollout r4' }

describe('a pin', () => {
  test('goes before what is desired of every node, and its end goes back to that', async () => {
    const at = new Setup()
    await at.start()
    await at.put('desired/datasets', base)
    const pinned = await at.put('desired/datasets/erd1', pin)
    expect(at.feed.get('datasets')).toMatchObject({ desired: { release: 4, manifest: 'm4' }, asOf: pinned })
    await at.delete('desired/datasets/erd1')
    expect(at.feed.get('datasets')).toMatchObject({ desired: base, requests: [], asOf: pinned + 1 })
  })

  test('of another node wakes nobody here, and of a tree with the name of a node nobody there', async () => {
    const at = new Setup()
    await at.start()
    await at.put('desired/datasets', base)
    const told = at.told.length
    const before = at.feed.get('datasets')
    await at.put('desired/datasets/erd2', pin)
    await at.put('desired/datasets/erd10', pin)
    await at.put('desired/erd1/datasets', pin)
    await at.delete('desired/datasets/erd2')
    expect(at.told).toHaveLength(told)
    expect(at.feed.get('datasets')).toBe(before)
  })

  test('says what to do on this node only, once for its revision, beside what every node is asked', async () => {
    const at = new Setup()
    await at.start()
    await at.put('desired/datasets', base)
    const asked = await at.put('request/datasets/reload/b', request('b'))
    const samples = [{ path: '/x', status: 200, timeoutMs: 1000 }]
    const pinned = await at.put('desired/datasets/erd1', { ...pin, samples, requests: [request('a')] })
    const wanted = at.feed.get('datasets')
    expect(wanted?.samples).toEqual(samples)
    expect(wanted?.requests).toEqual([
      { ...request('b'), generation: asked },
      { ...request('a'), generation: pinned, pinned: true },
    ])
  })

  test('is enough where nothing is desired of every node yet', async () => {
    const at = new Setup()
    await at.start()
    await at.put('desired/datasets/erd1', pin)
    expect(at.feed.get('datasets')?.desired.release).toBe(4)
    expect(at.feed.get('layers')).toBeUndefined()
  })

  test.for([
    { release: '4', manifest: 'm4' },
    { ...pin, samples: [{ path: '/x' }] },
    { ...pin, samples: 'all' },
    { ...pin, samples: [null] },
    { ...pin, requests: [{ kind: 'delete', item: 'a' }] },
    { ...pin, requests: {} },
  ])('that cannot be read as a whole, such as %j, is none', async (value) => {
    const at = new Setup()
    await at.start()
    await at.put('desired/datasets', base)
    await at.put('desired/datasets/erd1', value)
    expect(at.feed.get('datasets')?.desired).toEqual(base)
  })
})

describe('lists', () => {
  const entry = (value: string) => ({ value, author: 'anna', atMs: 1 })

  test('are sorted values by name, of their tree alone', async () => {
    const at = new Setup()
    await at.start()
    await at.put('desired/datasets', base)
    await at.put('list/datasets/requestBlacklist/b', entry('192.0.2.9'))
    await at.put('list/datasets/requestBlacklist/a', entry('192.0.2.7'))
    await at.put('list/datasets/other/a', entry('192.0.2.8'))
    await at.put('list/datasets/requestBlacklist/c', { value: 5 })
    await at.put('list/layers/ipAddressUnlimited/a', entry('192.0.2.1'))
    expect(at.feed.get('datasets')?.lists).toEqual({ ...NO_LISTS, requestBlacklist: ['192.0.2.7', '192.0.2.9'] })
  })

  test('that change leave the rest as it is; and the other way round', async () => {
    const at = new Setup()
    await at.start()
    await at.put('desired/datasets', base)
    const before = at.feed.get('datasets')
    const revision = await at.put('list/datasets/requestBlacklist/b', entry('192.0.2.9'))
    const after = at.feed.get('datasets')
    expect(after?.requests).toBe(before?.requests)
    expect(after?.asOf).toBe(revision)
    await at.put('request/datasets/reload/b', request('b'))
    expect(at.feed.get('datasets')?.lists).toBe(after?.lists)
  })
})

describe('what is taken account of', () => {
  test('is the newest change that concerns this node and tree, whichever family it is of', async () => {
    const at = new Setup()
    await at.start()
    await at.put('desired/datasets', base)
    const asked = await at.put('request/datasets/reload/b', request('b'))
    await at.put('node/erd1/target/datasets', {})
    await at.put('desired/layers', base)
    await at.put('desired/datasets/erd2', pin)
    expect(at.feed.get('datasets')?.asOf).toBe(asked)
    await at.delete('request/datasets/reload/b')
    expect(at.feed.get('datasets')?.asOf).toBe(asked + 4)
  })

  test('is never more than the store has, also when it went back to a copy of itself', async () => {
    const at = new Setup()
    await at.put('desired/datasets', base)
    await at.start()
    const old = at.store
    await at.put('desired/datasets', { ...base, release: 9 })
    expect(at.feed.get('datasets')).toMatchObject({ desired: { release: 9 }, asOf: 2 })
    at.store = new MemoryStore({ clock: at.clock })
    await at.put('desired/datasets', base)
    await old.close()
    at.feed.look()
    await at.clock.advance(1000)
    expect(at.feed.get('datasets')).toMatchObject({ desired: base, asOf: 1 })
    await at.clock.advance(60_000)
    const pinned = await at.put('desired/datasets/erd1', pin)
    expect(at.feed.get('datasets')).toMatchObject({ desired: { release: 4 }, asOf: pinned })
  })
})
