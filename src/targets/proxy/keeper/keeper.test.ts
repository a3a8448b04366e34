import { describe, expect, onTestFinished, test } from 'vitest'
import { FakeProxyDriver } from '../../../../test/helpers/fake-proxy-driver.ts'
import { VirtualClock } from '../../../../test/helpers/virtual-clock.ts'
import { Mirror } from '../../../agent/mirror.ts'
import { FlotillaError } from '../../../core/errors.ts'
import { silent } from '../../../core/log.ts'
import type { NodeProxy } from '../../../core/rollout.ts'
import { TableMaker } from '../../../core/routing/table.ts'
import { MemoryStore } from '../../../store/memory/memory-store.ts'
import { Addresses } from './addresses.ts'
import { Health } from './health.ts'
import { Keeper } from './keeper.ts'
import { type Memory, SavedCluster } from './saved.ts'

class FakeMemory implements Memory {
  readonly texts = new Map<string, string>()

  async load(name: string): Promise<string | undefined> {
    return this.texts.get(name)
  }

  async save(name: string, text: string): Promise<void> {
    this.texts.set(name, text)
  }
}

interface Given {
  readonly memory?: FakeMemory
  readonly driver?: FakeProxyDriver
  readonly fixed?: Readonly<Record<string, string>>
  /** Whether the store is ever reached. */
  readonly hub?: boolean
}

/** A keeper beside a fake proxy, with applications that answer unless they are in `dead`. */
class Setup {
  readonly clock = new VirtualClock()
  readonly store = new MemoryStore({ clock: this.clock })
  readonly memory: FakeMemory
  readonly driver: FakeProxyDriver
  readonly told: NodeProxy[] = []
  readonly dead = new Set<number>()
  readonly names = new Map<string, string>()
  readonly keeper: Keeper
  readonly stop = new AbortController()

  constructor({ memory = new FakeMemory(), driver = new FakeProxyDriver(), fixed, hub = true }: Given = {}) {
    onTestFinished(() => this.stop.abort())
    this.memory = memory
    this.driver = driver
    const common = { name: 'front', clock: this.clock, log: silent, onChange: () => this.keeper.look() }
    const lookup = async (name: string): Promise<readonly string[]> => [this.names.get(name) ?? 'none']
    const addresses = new Addresses({ ...common, networks: [], lookup })
    const health = new Health({
      ...common,
      pace: { everyMs: 1000, fall: 2, rise: 2 },
      expected: () => [],
      open: ({ port }) => ({ ask: async () => !this.dead.has(port), close: () => undefined }),
    })
    const mirror = new Mirror({
      store: this.store,
      prefixes: ['drain/', 'rollout/', 'desired/', 'node/'],
      onChange: (keys) => this.keeper.changed(keys),
    })
    const settings = { weights: {}, hot: new Map(), bound: 1.25, depth: 3, everyNode: undefined }
    this.keeper = new Keeper({
      ...common,
      tree: 'datasets',
      fixed,
      driver,
      maker: new TableMaker({ ...settings, rules: [{ system: 'erddap', base: '/erddap' }] }),
      feed: mirror,
      health,
      addresses,
      saved: new SavedCluster({ memory, proxy: 'front', tree: 'datasets', clock: this.clock, log: silent }),
      tell: (proxy) => void this.told.push(proxy),
      random: () => 0.5,
    })
    for (const service of [this.keeper, health, addresses, ...(hub ? [mirror] : [])]) void service.run(this.stop.signal)
  }

  async put(key: string, value: object): Promise<number> {
    return await this.commit({ [key]: value })
  }

  async commit(values: Readonly<Record<string, object | undefined>>): Promise<number> {
    const changes = Object.entries(values).map(([key, value]) =>
      value === undefined
        ? ({ op: 'delete', key } as const)
        : ({ op: 'put', key, value: JSON.stringify(value) } as const),
    )
    const commit = await this.store.commit({ changes })
    if (!commit.committed) throw new Error('not committed')
    return commit.revision
  }

  /** Three nodes that serve two datasets of r4. */
  async cluster(): Promise<void> {
    await this.put('desired/datasets', { release: 4, manifest: '' })
    for (const [index, node] of ['erd1', 'erd2', 'erd3'].entries()) {
      await this.put(`node/${node}/joined`, { node })
      await this.put(`node/${node}/alive`, alive(`http://10.0.0.1:${index + 1}`))
      await this.put(`node/${node}/datasets/datasets`, { applied: 4, items: { sst: 'served', buoys: 'served' } })
    }
    await this.clock.advance(50)
  }
}

function alive(address: string): object {
  return { node: 'x', version: '1', startedAtMs: 0, instance: 'i', values: [], serves: { datasets: address } }
}

const DRAIN = { tree: 'datasets', items: ['sst'], by: 'rollout r5', reason: '', atMs: 0 }

describe('a keeper', () => {
  test('tells its proxy of every node, and the cluster what is in force', async () => {
    const at = new Setup()
    await at.cluster()
    expect(at.driver.states).toEqual(['erd1 up', 'erd2 up', 'erd3 up'])
    expect([...(at.driver.last?.placement.keys() ?? [])]).toEqual(['buoys', 'sst'])
    expect(at.told.at(-1)).toMatchObject({ kind: 'haproxy', state: 'in-step' })
    expect(at.told.at(-1)?.asOf).toBe((await at.store.list('')).revision)
  })

  test('says that a drain is in force once the proxy took it over, and not before', async () => {
    const at = new Setup()
    await at.cluster()
    const release = at.driver.hold()
    const revision = await at.put('drain/erd1/rollout-datasets', DRAIN)
    await at.clock.advance(1000)
    expect(at.told.at(-1)?.asOf).toBeLessThan(revision)
    release()
    await at.clock.advance(50)
    expect(at.driver.states).toEqual(['erd1 up -sst', 'erd2 up', 'erd3 up'])
    expect(at.told.at(-1)).toMatchObject({ state: 'in-step', asOf: revision })
  })

  test('takes the drains of one commit over as one', async () => {
    const at = new Setup()
    await at.cluster()
    await at.put('drain/erd1/rollout-datasets', DRAIN)
    await at.clock.advance(50)
    const before = at.driver.tables.length
    await at.commit({
      'rollout/datasets': { tree: 'datasets', release: 5, manifest: '', state: 'running', exposed: true },
      'drain/erd1/rollout-datasets': undefined,
      'drain/erd2/rollout-datasets': DRAIN,
      'drain/erd3/rollout-datasets': DRAIN,
    })
    await at.clock.advance(50)
    expect(at.driver.states).toEqual(['erd1 up', 'erd2 up -sst', 'erd3 up -sst'])
    expect(at.driver.last?.revision).toBe(5)
    expect(at.driver.tables.length).toBe(before + 1)
  })

  test('makes one table of many changes, and has time for the newest while the proxy is slow', async () => {
    const at = new Setup()
    await at.cluster()
    const release = at.driver.hold()
    for (let round = 0; round < 50; round++) {
      await at.put('drain/erd1/manual', { ...DRAIN, items: [`d${round}`] })
      await at.clock.advance(30)
    }
    const before = at.driver.tables.length
    release()
    await at.clock.advance(100)
    expect(at.driver.states[0]).toBe('erd1 up -d49')
    expect(at.driver.tables.length).toBeLessThanOrEqual(before + 2)
  })

  test('leaves out a node that does not answer, within three seconds, and takes it back', async () => {
    const at = new Setup()
    await at.cluster()
    at.dead.add(2)
    await at.clock.advance(3000)
    expect(at.driver.states).toEqual(['erd1 up', 'erd2 down', 'erd3 up'])
    at.dead.clear()
    await at.clock.advance(3000)
    expect(at.driver.states).toEqual(['erd1 up', 'erd2 up', 'erd3 up'])
  })

  test('keeps a lost node as a last resort, and drops one that was forgotten', async () => {
    const at = new Setup()
    await at.cluster()
    await at.commit({ 'node/erd2/alive': undefined })
    await at.clock.advance(50)
    expect(at.driver.states).toEqual(['erd1 up', 'erd2 drained', 'erd3 up'])
    const ids = at.driver.last?.backends.map(({ id }) => id)
    await at.commit({ 'node/erd2/joined': undefined, 'node/erd2/datasets/datasets': undefined })
    await at.clock.advance(50)
    expect(at.driver.states).toEqual(['erd1 up', 'erd3 up'])
    expect(at.driver.last?.backends.map(({ id }) => id)).toEqual([ids?.[0], ids?.[2]])
  })

  test('says nothing new of reports that change nothing, and never of its own', async () => {
    const at = new Setup()
    await at.cluster()
    const before = at.told.length
    for (let round = 0; round < 20; round++) {
      await at.put('node/erd1/target/datasets', { round })
      await at.put('node/erd1/proxy/front', { round })
      await at.put('node/erd1/datasets/datasets', { applied: 4, round, items: { sst: 'served', buoys: 'served' } })
      await at.clock.advance(1000)
    }
    expect(at.told.length).toBe(before)
  })

  test('takes reports up once a second at most, and an order at once', async () => {
    const at = new Setup()
    await at.cluster()
    await at.clock.advance(2000)
    const { calls } = at.driver
    for (let round = 0; round < 50; round++) {
      const state = round % 2 === 0 ? 'failed' : 'served'
      await at.put('node/erd1/datasets/datasets', { applied: 4, items: { sst: state, buoys: 'served' } })
      await at.clock.advance(100)
    }
    expect(at.driver.calls - calls).toBeLessThanOrEqual(6)
    await at.put('node/erd1/datasets/datasets', { applied: 4, items: { sst: 'failed', buoys: 'served' } })
    await at.put('drain/erd2/manual', DRAIN)
    await at.clock.advance(50)
    expect(at.driver.states).toEqual(['erd1 up -sst', 'erd2 up -sst', 'erd3 up'])
  })

  test('looks at its proxy again now and then', async () => {
    const at = new Setup()
    await at.cluster()
    const before = at.driver.calls
    await at.clock.advance(60_000)
    expect(at.driver.calls - before).toBe(4)
    expect(at.driver.tables.at(-1)).toBe(at.driver.last)
  })
})

describe('a proxy that refuses', () => {
  test('keeps what it had, which is said, and is asked again until it takes what is new', async () => {
    const at = new Setup()
    await at.cluster()
    const good = at.told.at(-1)?.asOf
    at.driver.fault = new FlotillaError('PROXY_REFUSED', 'nginx: [emerg] unknown directive')
    const revision = await at.put('drain/erd1/manual', DRAIN)
    await at.clock.advance(100)
    expect(at.told.at(-1)).toEqual({
      kind: 'haproxy',
      state: 'failed',
      asOf: good,
      error: 'nginx: [emerg] unknown directive',
      atMs: at.told.at(-1)?.atMs,
    })
    const calls = at.driver.calls
    await at.clock.advance(120_000)
    expect(at.driver.calls - calls).toBeGreaterThan(4)
    expect(at.driver.calls - calls).toBeLessThan(20)
    at.driver.fault = undefined
    await at.clock.advance(30_000)
    expect(at.told.at(-1)).toMatchObject({ state: 'in-step', asOf: revision })
    expect(at.driver.states[0]).toBe('erd1 up -sst')
  })
})

describe('without the hub', () => {
  test('what was known last is in force again after a restart, and checks go on', async () => {
    const before = new Setup()
    before.names.set('erd9.example.org', '10.0.0.9')
    await before.cluster()
    await before.put('node/erd9/alive', alive('http://erd9.example.org:9'))
    await before.put('drain/erd1/manual', DRAIN)
    await before.clock.advance(30_000)
    expect(before.driver.states).toEqual(['erd1 up -sst', 'erd2 up', 'erd3 up', 'erd9 up -buoys -sst'])
    before.stop.abort()

    const after = new Setup({ memory: before.memory, hub: false })
    after.dead.add(3)
    await after.clock.advance(5000)
    expect(after.driver.states).toEqual(['erd1 up -sst', 'erd2 up', 'erd3 down', 'erd9 up -buoys -sst'])
    expect(after.driver.last?.backends.map(({ id, host }) => [id, host])).toEqual(
      before.driver.last?.backends.map(({ id, host }) => [id, host]),
    )
    expect(after.driver.last?.revision).toBe(4)
  })

  test('a proxy that has never known anything is left alone', async () => {
    const at = new Setup({ hub: false })
    await at.clock.advance(60_000)
    expect([at.driver.calls, at.told]).toEqual([0, []])
  })

  test('nodes that the configuration names are enough', async () => {
    const at = new Setup({ fixed: { erd1: 'http://10.0.0.1:1', erd2: 'http://10.0.0.1:2' } })
    at.dead.add(2)
    await at.clock.advance(3000)
    expect(at.driver.states).toEqual(['erd1 up', 'erd2 down'])
  })

  test('a file that cannot be read is as good as none', async () => {
    const memory = new FakeMemory()
    for (const text of ['{', 'null', '{"format":1,"tree":"other"}', '{"format":1,"tree":"datasets"}', '[]']) {
      memory.texts.set('proxy.front.json', text)
      const at = new Setup({ memory, hub: false })
      await at.clock.advance(1000)
      expect(at.driver.calls).toBe(0)
    }
  })
})

test('a store that has forgotten every node takes none away from the proxy', async () => {
  const at = new Setup()
  await at.cluster()
  const { entries } = await at.store.list('')
  await at.commit(Object.fromEntries(entries.map(({ key }) => [key, undefined])))
  await at.clock.advance(60_000)
  expect(at.driver.states).toEqual(['erd1 up', 'erd2 up', 'erd3 up'])
})

test('while no name of a node can be looked up, what the proxy has stays', async () => {
  const at = new Setup()
  await at.clock.advance(100)
  const { calls } = at.driver
  await at.put('node/erd1/alive', alive('http://erd1.example.org:1'))
  await at.clock.advance(1000)
  expect(at.driver.calls).toBe(calls)
  at.names.set('erd1.example.org', '10.0.0.1')
  await at.clock.advance(5000)
  expect(at.driver.states).toEqual(['erd1 up'])
})

test('the same keys have the same owners after a restart, with another history too', async () => {
  const one = new Setup()
  await one.cluster()
  const other = new Setup()
  await other.put('node/gone/alive', alive('http://10.0.0.1:7'))
  await other.clock.advance(50)
  await other.commit({ 'node/gone/alive': undefined })
  await other.cluster()
  expect(other.driver.last?.placement).toEqual(one.driver.last?.placement)
  expect(other.driver.last?.backends).toEqual(one.driver.last?.backends)
})
