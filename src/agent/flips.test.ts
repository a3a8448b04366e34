import { expect, onTestFinished, test } from 'vitest'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import type { FlipGate, FlipRecord } from '../core/files/flip.ts'
import type { NodeFiles } from '../core/files/report.ts'
import { keys } from '../core/keys.ts'
import { silent } from '../core/log.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { Flips } from './flips.ts'

const WAIT_MS = 60_000

class Cluster {
  readonly clock = new VirtualClock()
  readonly store = new MemoryStore({ clock: this.clock })
  /** By node. */
  readonly memories = new Map<string, Map<string, string>>()
  readonly woken: string[] = []

  async start(node: string): Promise<Running> {
    const texts = this.memories.get(node) ?? new Map<string, string>()
    this.memories.set(node, texts)
    const stop = new AbortController()
    const flips: Flips = await Flips.open({
      node,
      store: this.store,
      memory: { load: async (name) => texts.get(name), save: async (name, text) => void texts.set(name, text) },
      clock: this.clock,
      log: silent,
      trees: [{ tree: 'data', waitMs: WAIT_MS }],
      onFlip: () => void this.woken.push(node),
      onReport: (tree) => void this.#tell(node, tree, flips),
    })
    await this.put(keys.alive(node), {})
    await this.#tell(node, 'data', flips)
    for (const service of flips.services()) void service.run(stop.signal).catch(() => undefined)
    onTestFinished(() => stop.abort())
    await this.clock.advance(0)
    const gate = flips.gateOf('data') as FlipGate
    const offer = async (generation: string) => {
      const answer = gate.offer('run', generation)
      await this.clock.advance(0)
      if (answer === 'flip') gate.flipped('run', generation)
      return answer
    }
    return { flips, gate, offer, stop }
  }

  async put(key: string, value: object): Promise<void> {
    await this.store.commit({ changes: [{ op: 'put', key, value: JSON.stringify(value) }] })
  }

  async kill(node: string, { stop }: Running): Promise<void> {
    stop.abort()
    await this.store.commit({ changes: [{ op: 'delete', key: keys.alive(node) }] })
    await this.clock.advance(0)
  }

  async flip(): Promise<FlipRecord | undefined> {
    const entry = await this.store.get(keys.flip('data', 'run'))
    return entry && (JSON.parse(entry.value) as FlipRecord)
  }

  async #tell(node: string, tree: string, flips: Flips): Promise<void> {
    const report: NodeFiles = { state: 'pulling', files: 0, bytes: 0, groups: flips.reportOf(tree) ?? {}, atMs: 0 }
    await this.put(keys.files(node, tree), report)
  }
}

interface Running {
  readonly flips: Flips
  readonly gate: FlipGate
  readonly offer: (generation: string) => Promise<string>
  readonly stop: AbortController
}

test('what all have staged is shown by all, and not before', async () => {
  const cluster = new Cluster()
  const [a, b] = [await cluster.start('a'), await cluster.start('b')]
  expect(await a.offer('g1')).toBe('wait')
  await cluster.clock.advance(10_000)
  expect(await cluster.flip()).toBeUndefined()
  expect(await b.offer('g1')).toBe('wait')
  await cluster.clock.advance(1000)
  expect(await cluster.flip()).toMatchObject({ generation: 'g1', number: 1, by: 'a', without: [] })
  expect(cluster.woken.toSorted()).toEqual(['a', 'b'])
  expect(a.flips.isCaughtUp('data')).toBe(false)
  expect([await a.offer('g1'), await b.offer('g1')]).toEqual(['flip', 'flip'])
  expect(a.flips.isCaughtUp('data')).toBe(true)
})

test('a node that is gone is not waited for, one that is slow only so long, and it follows at once when it has it', async () => {
  const cluster = new Cluster()
  const [a, b, c] = [await cluster.start('a'), await cluster.start('b'), await cluster.start('c')]
  await cluster.kill('c', c)
  await a.offer('g1')
  await cluster.clock.advance(WAIT_MS - 1000)
  expect(await cluster.flip()).toBeUndefined()
  await cluster.clock.advance(2000)
  expect(await cluster.flip()).toMatchObject({ generation: 'g1', without: ['b'] })
  expect(await b.offer('g1')).toBe('flip')
  const again = await cluster.start('c')
  expect(await again.offer('g1')).toBe('flip')
  expect(again.flips.isCaughtUp('data')).toBe(true)
})

test('what was told to be staged is kept over a restart, and no more than two at once', async () => {
  const cluster = new Cluster()
  const [a, b] = [await cluster.start('a'), await cluster.start('b')]
  expect([await a.offer('g1'), await a.offer('g2'), await a.offer('g3')]).toEqual(['wait', 'wait', 'later'])
  await cluster.kill('a', a)
  const again = await cluster.start('a')
  expect(again.flips.reportOf('data')).toEqual({ run: { staged: ['g1', 'g2'], asOf: 0 } })
  await b.offer('g2')
  await cluster.clock.advance(1000)
  expect(await cluster.flip()).toMatchObject({ generation: 'g2', without: [] })
  expect(await again.offer('g2')).toBe('flip')
  await cluster.clock.advance(0)
  expect(again.flips.reportOf('data')).toEqual({})
})

test('what a node writes that makes no sense is passed over', async () => {
  const cluster = new Cluster()
  await cluster.put(keys.alive('x'), {})
  await cluster.put(keys.files('x', 'data'), { groups: { run: { staged: 'all', asOf: 'never' } } })
  const a = await cluster.start('a')
  await a.offer('g1')
  await cluster.clock.advance(1000)
  expect(await cluster.flip()).toMatchObject({ generation: 'g1', without: [] })
  await cluster.put(keys.flip('data', 'run'), { generation: 7 })
  await cluster.clock.advance(1000)
  expect(await a.offer('g2')).toBe('wait')
})
