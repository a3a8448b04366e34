import { expect, onTestFinished, test } from 'vitest'
import { storeInstead } from '../../test/helpers/store-instead.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { FlotillaError } from '../core/errors.ts'
import type { Expectation, Store } from '../core/store.ts'
import type { ItemReport, NodeDatasets, NodeLoads, NodeTarget, TargetReport } from '../core/target.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { Reporter } from './report.ts'

const TARGET = 'node/erd1/target/datasets'
const DATASETS = 'node/erd1/datasets/datasets'
const LOADS = 'node/erd1/loads/datasets'
const ALIVE = 'node/erd1/alive'

function report(more: Partial<TargetReport> = {}): TargetReport {
  return {
    state: 'in-step',
    staged: 1,
    applied: 1,
    served: 1,
    warnings: [],
    progress: { done: 1, total: 1 },
    items: { a: { state: 'served' } },
    ...more,
  }
}

const many = (state: ItemReport['state'], count: number): [string, ItemReport][] =>
  Array.from({ length: count }, (_, index) => [`${state}${index}`, { state }])

const loading = (done: number): TargetReport =>
  report({ state: 'pending', progress: { done, total: 100 }, items: { a: { state: 'loading' } } })

class Setup {
  readonly clock = new VirtualClock()
  readonly store = new MemoryStore({ clock: this.clock })
  /** When each key was written. */
  readonly writes: { readonly key: string; readonly atMs: number }[] = []
  readonly stop = new AbortController()
  readonly reporter: Reporter
  held: Expectation | undefined = { key: ALIVE, revision: 1 }
  lost = 0
  older = 0
  down = false
  hangs = false

  constructor() {
    onTestFinished(() => this.stop.abort())
    const store: Store = storeInstead(this.store, {
      commit: async (txn, op) => {
        if (this.down) throw new FlotillaError('UNREACHABLE', 'nothing listens there')
        if (this.hangs) {
          await new Promise((_, reject) =>
            op?.signal?.addEventListener('abort', () => reject(op.signal?.reason as Error)),
          )
        }
        for (const { key } of txn.changes) this.writes.push({ key, atMs: this.clock.monotonicMs() })
        return await this.store.commit(txn, op)
      },
    })
    this.reporter = new Reporter({
      node: 'erd1',
      store,
      clock: this.clock,
      fence: () => this.held,
      onLost: () => {
        this.lost += 1
        this.held = undefined
      },
      onOlder: () => void (this.older += 1),
    })
  }

  async start(): Promise<void> {
    await this.store.commit({ changes: [{ op: 'put', key: ALIVE, value: '{}' }] })
    void this.run()
    await this.clock.advance(0)
  }

  /** As a supervisor does. */
  async run(): Promise<unknown> {
    return await this.reporter.run(this.stop.signal).catch((error: unknown) => error)
  }

  tell(told: TargetReport, asOf?: number): void {
    this.reporter.update('datasets', 'erddap', told, asOf)
  }

  timesOf(key: string): readonly number[] {
    return this.writes.filter((write) => write.key === key).map(({ atMs }) => atMs)
  }

  async read<T>(key: string): Promise<T> {
    return JSON.parse((await this.store.get(key))?.value ?? 'null') as T
  }
}

test('a report is two keys: what the target is, with its time, and the state of each item', async () => {
  const at = new Setup()
  await at.start()
  const problem = { severity: 'error', code: 'PATH_MISSING', file: 'b.xml', message: 'no folder' } as const
  await at.clock.advance(50)
  at.tell(
    report({ state: 'failed', version: '2.31', items: { a: { state: 'served' }, b: { state: 'failed', problem } } }),
  )
  await at.clock.advance(0)
  expect(await at.read<NodeTarget>(TARGET)).toEqual({
    kind: 'erddap',
    state: 'failed',
    staged: 1,
    applied: 1,
    served: 1,
    version: '2.31',
    warnings: [],
    progress: { done: 1, total: 1 },
    troubled: { b: { state: 'failed', problem } },
    atMs: 1_700_000_000_050,
  })
  expect(await at.read<NodeDatasets>(DATASETS)).toEqual({ applied: 1, items: { a: 'served', b: 'failed' } })
  expect(at.timesOf(TARGET)).toEqual([50])
})

test('what says the same again is written once', async () => {
  const at = new Setup()
  await at.start()
  for (let look = 0; look < 10; look++) {
    at.tell(report())
    await at.clock.advance(30_000)
  }
  expect(at.timesOf(TARGET)).toEqual([0])
  expect(at.timesOf(DATASETS)).toEqual([0])
})

test('while the application loads, the small key is written every second and the large one every five', async () => {
  const at = new Setup()
  await at.start()
  for (let done = 0; done < 100; done++) {
    at.tell({ ...loading(done), applied: done })
    await at.clock.advance(100)
  }
  expect(at.timesOf(TARGET)).toEqual([250, 1250, 2250, 3250, 4250, 5250, 6250, 7250, 8250, 9250])
  expect(at.timesOf(DATASETS)).toEqual([250, 5250])
})

test('the end of a load is told at once, and it is what stands there in the end', async () => {
  const at = new Setup()
  await at.start()
  at.tell(loading(1))
  await at.clock.advance(300)
  at.tell(report({ served: 1 }))
  await at.clock.advance(50)
  expect(at.timesOf(TARGET)).toEqual([250, 350])
  expect((await at.read<NodeTarget>(TARGET)).state).toBe('in-step')
})

test('a load that is over in a moment is never told', async () => {
  const at = new Setup()
  await at.start()
  at.tell(loading(1))
  await at.clock.advance(200)
  at.tell(report({ served: 1 }))
  await at.clock.advance(0)
  expect(at.timesOf(TARGET)).toEqual([200])
  expect((await at.read<NodeTarget>(TARGET)).state).toBe('in-step')
})

test('the last state of a load is written although nothing changes after it', async () => {
  const at = new Setup()
  await at.start()
  at.tell(loading(1))
  await at.clock.advance(200)
  at.tell(loading(2))
  await at.clock.advance(200)
  at.tell(loading(3))
  await at.clock.advance(60_000)
  expect((await at.read<NodeTarget>(TARGET)).progress.done).toBe(3)
  expect(at.timesOf(TARGET)).toEqual([250, 1250])
})

test('the keys of several trees that are due go out as one commit', async () => {
  const at = new Setup()
  await at.start()
  const before = (await at.store.list('')).revision
  at.reporter.update('datasets', 'erddap', report())
  at.reporter.update('layers', 'geoserver', report())
  await at.clock.advance(0)
  expect((await at.store.list('')).revision).toBe(before + 1)
})

test('what could not be written is written when the hub is back, and only the newest', async () => {
  const at = new Setup()
  await at.start()
  at.down = true
  at.tell(loading(1))
  await at.clock.advance(1000)
  at.tell(report({ staged: 2 }))
  await at.clock.advance(1000)
  expect(await at.store.get(TARGET)).toBeUndefined()
  at.down = false
  void at.run()
  await at.clock.advance(0)
  expect(await at.read<NodeTarget>(TARGET)).toMatchObject({ state: 'in-step', staged: 2, atMs: 1_700_000_001_000 })
})

test('a report that did not get through is sent again as it was', async () => {
  const at = new Setup()
  await at.start()
  at.down = true
  at.tell(report())
  await at.clock.advance(1000)
  at.down = false
  void at.run()
  await at.clock.advance(0)
  expect(await at.read<NodeTarget>(TARGET)).toMatchObject({ state: 'in-step' })
  expect(await at.read<NodeDatasets>(DATASETS)).toMatchObject({ applied: 1 })
})

test('nothing is written while the name is not held, and everything when it is', async () => {
  const at = new Setup()
  at.held = undefined
  await at.start()
  at.tell(report())
  await at.clock.advance(10_000)
  expect(at.writes).toEqual([])
  at.held = { key: ALIVE, revision: 1 }
  at.reporter.repeat()
  await at.clock.advance(0)
  expect(await at.read<NodeTarget>(TARGET)).toMatchObject({ state: 'in-step' })
})

test('only the holder of the name speaks for the node', async () => {
  const at = new Setup()
  await at.start()
  await at.store.commit({ changes: [{ op: 'put', key: ALIVE, value: 'somebody else' }] })
  at.tell(report())
  await at.clock.advance(60_000)
  expect(at.lost).toBe(1)
  expect(await at.store.get(TARGET)).toBeUndefined()
})

test('after the name was claimed again, everything is told again', async () => {
  const at = new Setup()
  await at.start()
  at.tell(report())
  await at.clock.advance(1000)
  at.reporter.repeat()
  await at.clock.advance(0)
  expect(at.timesOf(TARGET)).toEqual([0, 1000])
  expect(at.timesOf(DATASETS)).toEqual([0, 1000])
})

test('flush writes what waits, at once, and gives up after two seconds', async () => {
  const at = new Setup()
  await at.start()
  at.tell(loading(1))
  await at.clock.advance(200)
  at.tell(loading(2))
  await at.clock.advance(0)
  await at.reporter.flush()
  expect((await at.read<NodeTarget>(TARGET)).progress.done).toBe(2)
  at.tell(loading(3))
  at.hangs = true
  const late = expect(at.reporter.flush()).rejects.toMatchObject({ code: 'UNREACHABLE' })
  await at.clock.advance(2000)
  await late
})

test('of many items in trouble a hundred are named, those that failed before those that load', async () => {
  const at = new Setup()
  await at.start()
  const items = Object.fromEntries([...many('loading', 500), ...many('failed', 30), ...many('inactive', 5)])
  at.tell(report({ state: 'pending', items }))
  await at.clock.advance(250)
  const { troubled } = await at.read<NodeTarget>(TARGET)
  const told = Object.values(troubled).map(({ state }) => state)
  expect(told).toHaveLength(100)
  expect(told.filter((state) => state === 'failed')).toHaveLength(30)
  expect(told).not.toContain('inactive')
  expect(Object.keys((await at.read<NodeDatasets>(DATASETS)).items)).toHaveLength(535)
})

test('a catalog beyond the limit of a value is told without the items that are served', async () => {
  const at = new Setup()
  await at.start()
  const items: Record<string, ItemReport> = { broken: { state: 'failed' } }
  for (let index = 0; index < 40_000; index++) items[`dataset_with_a_long_name_${index}`] = { state: 'served' }
  at.tell(report({ items }))
  await at.clock.advance(0)
  expect(await at.read<NodeDatasets>(DATASETS)).toMatchObject({ partial: true, items: { broken: 'failed' } })
})

test('what else a node says of itself is written at once, and again only when it says something else', async () => {
  const at = new Setup()
  await at.start()
  const key = 'node/a/proxy/front'
  for (const [state, atMs] of [
    ['in-step', 1],
    ['in-step', 2],
    ['failed', 3],
  ] as const) {
    const value = { state, atMs }
    at.reporter.tell(key, value)
    await at.clock.advance(100)
  }
  expect(await at.read<{ atMs: number }>(key)).toEqual({ state: 'failed', atMs: 3 })
  expect(at.timesOf(key)).toEqual([0, 200])
})

test('what a report takes account of is in it; one that only takes account of more is written again, and only that', async () => {
  const at = new Setup()
  await at.start()
  at.tell(report(), 7)
  await at.clock.advance(100)
  expect(await at.read<NodeTarget>(TARGET)).toMatchObject({ asOf: 7 })
  at.tell(report(), 9)
  await at.clock.advance(100)
  at.tell(report(), 9)
  await at.clock.advance(100)
  expect(await at.read<NodeTarget>(TARGET)).toMatchObject({ asOf: 9, state: 'in-step' })
  expect([at.timesOf(TARGET), at.timesOf(DATASETS)]).toEqual([[0, 100], [0]])
})

test('nothing is said of an account where there is none', async () => {
  const at = new Setup()
  await at.start()
  for (const asOf of [undefined, 0]) {
    at.tell(report({ served: asOf ?? 1 }), asOf)
    await at.clock.advance(100)
    expect(Object.keys(await at.read<NodeTarget>(TARGET))).not.toContain('asOf')
  }
})

test('a store that is older than what was taken account of is noticed with the report', async () => {
  const at = new Setup()
  await at.start()
  at.tell(report(), 2)
  await at.clock.advance(100)
  expect(at.older).toBe(0)
  at.tell(report(), 1000)
  await at.clock.advance(100)
  expect(at.older).toBe(1)
})

test('how long loads take is a key of its own, written rarely while there are more to come', async () => {
  const at = new Setup()
  await at.start()
  at.tell(report())
  await at.clock.advance(100)
  expect(at.timesOf(LOADS)).toEqual([])
  for (let done = 0; done < 40; done++) {
    at.tell({ ...loading(done), loads: { a: { soft: done } } })
    await at.clock.advance(1000)
  }
  expect(at.timesOf(LOADS)).toHaveLength(2)
  at.tell(report({ loads: { a: { soft: 99, hard: 5 } } }))
  await at.clock.advance(30_000)
  expect(await at.read<NodeLoads>(LOADS)).toEqual({ items: { a: { soft: 99, hard: 5 } } })
  expect(Object.keys(await at.read<NodeTarget>(TARGET))).not.toContain('loads')
})
