import { afterEach, expect, test } from 'vitest'
import type { AckLevel } from '../../src/core/push/ack.ts'
import { isError } from '../../src/core/errors.ts'
import { compareVersions, type Version } from '../../src/core/push/operation.ts'
import { MemoryStore } from '../../src/store/memory/memory-store.ts'
import { seeded } from '../helpers/random.ts'
import { RootNode, turns } from '../helpers/roots.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'

/** Three roots over one store, and a leaf below each: whatever is killed and cut off, none of what was acknowledged is lost. */

const ROOTS = ['a', 'b', 'c'] as const
const LEAVES = ['of-all', 'of-b'] as const

class Cluster {
  readonly clock = new VirtualClock()
  readonly store = new MemoryStore({ clock: this.clock })
  readonly cuts = new Set<string>()
  readonly nodes = new Map<string, RootNode>()
  readonly sent = new Map<string, number>()

  constructor(seed: number) {
    const { clock, store, cuts, nodes, sent } = this
    const world = { clock, store, cuts, nodes, sent, random: seeded(seed + 1000) }
    for (const name of ROOTS) {
      const own = name === 'b' ? ['of-b'] : []
      nodes.set(name, new RootNode(name, world, [...ROOTS.filter((other) => other !== name), 'of-all', ...own]))
    }
    for (const name of LEAVES) nodes.set(name, new RootNode(name, world, [], false))
    for (const node of nodes.values()) node.start()
  }

  get roots(): readonly RootNode[] {
    return ROOTS.map((name) => this.node(name))
  }

  node(name: string): RootNode {
    return this.nodes.get(name)!
  }

  leaders(): readonly RootNode[] {
    return this.roots.filter(({ term }) => term !== undefined)
  }

  async leader(): Promise<RootNode> {
    await this.until(() => this.leaders().length === 1)
    return this.leaders()[0]!
  }

  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 250) {
      await this.clock.advance(Math.min(250, left))
      await turns(3)
      // Whoever is in the midst of it, nobody may be certain of leading but one.
      expect(this.leaders().length).toBeLessThanOrEqual(1)
      for (const { life } of this.leaders()) expect(life?.distribution.fedBy).toBeUndefined()
    }
  }

  async until(holds: () => boolean, limitMs = 300_000): Promise<void> {
    for (let ms = 0; ms < limitMs && !holds(); ms += 250) await this.pass(250)
    expect(holds()).toBe(true)
  }

  areEqual(): boolean {
    return new Set([...this.nodes.values()].map((node) => JSON.stringify(node.contents()))).size === 1
  }

  heal(): void {
    this.cuts.clear()
    for (const node of this.nodes.values()) if (node.life === undefined) node.start()
  }

  async stop(): Promise<void> {
    const lives = [...this.nodes.values()].flatMap(({ life }) => life ?? [])
    for (const node of this.nodes.values()) node.kill()
    await turns()
    await this.clock.advance(20_000)
    await Promise.all(lives.map(async ({ over }) => over))
    await this.store.close()
  }
}

const clusters: Cluster[] = []

function clusterOf(seed: number): Cluster {
  const cluster = new Cluster(seed)
  clusters.push(cluster)
  return cluster
}

afterEach(async () => {
  for (const cluster of clusters.splice(0)) await cluster.stop()
})

test('one of three leads, and what is written there is everywhere; no content travels back or twice', async () => {
  const cluster = clusterOf(1)
  const leader = await cluster.leader()
  await cluster.pass(60_000)
  cluster.sent.clear()
  for (let n = 0; n < 20; n++) await leader.put(`k${n}`, 'x'.repeat(1000))
  await cluster.until(() => cluster.areEqual(), 10_000)
  await cluster.pass(120_000)
  const bytes = Object.fromEntries([...cluster.sent].filter(([, count]) => count > 0))
  const from = ROOTS.filter((name) => name !== leader.name)
  const wanted = [...from, 'of-all', ...(leader.name === 'b' ? ['of-b'] : [])].map((name) => [
    `${leader.name} ${name}`,
    20_000,
  ])
  expect(bytes).toEqual({ ...Object.fromEntries(wanted), 'b of-b': 20_000 })
})

test('who does not lead takes no writes, and knows where they go; nobody leads while the store is away from all', async () => {
  const cluster = clusterOf(2)
  const leader = await cluster.leader()
  await cluster.pass(10_000)
  const other = cluster.roots.find((one) => one !== leader)!
  await expect(other.put('k', 'x')).rejects.toMatchObject({ code: 'NOT_READY' })
  expect(other.life?.distribution.leader).toEqual({ url: `http://${leader.name}:1` })
  expect(leader.life?.distribution.leader).toBeUndefined()
  for (const name of ROOTS) cluster.cuts.add(`${name} store`)
  await cluster.pass(6000)
  expect(cluster.leaders()).toEqual([])
  await expect(leader.put('k', 'x')).rejects.toMatchObject({ code: 'NOT_READY' })
  cluster.heal()
  await (await cluster.leader()).put('k', 'y')
  await cluster.until(() => cluster.areEqual())
  expect(other.contents()).toEqual({ k: 'y' })
})

test('what was acknowledged here alone is handed over when the former leader comes back, unless there is a later write', async () => {
  const cluster = clusterOf(3)
  const former = await cluster.leader()
  await cluster.pass(60_000)
  for (const name of [...ROOTS, ...LEAVES]) cluster.cuts.add(`${former.name} ${name}`)
  await former.put('only-here', 'kept')
  await former.put('later', 'old')
  former.kill()
  const next = await cluster.leader()
  expect(next.name).not.toBe(former.name)
  await next.put('later', 'new')
  await cluster.pass(5000)
  expect(next.contents()).toEqual({ later: 'new' })
  cluster.heal()
  await cluster.until(() => cluster.areEqual() && next.contents()['only-here'] !== undefined)
  expect(former.contents()).toEqual({ 'only-here': 'kept', later: 'new' })
})

test('what another program puts into the folder of a root is distributed when that root leads', async () => {
  const cluster = clusterOf(6)
  const leader = await cluster.leader()
  await cluster.pass(30_000)
  const other = cluster.roots.find((one) => one !== leader)!
  await leader.drop('here', 'of the leader')
  await other.drop('there', 'of another')
  await cluster.until(() => cluster.node('of-all').contents()['here'] === 'of the leader', 30_000)
  await cluster.pass(90_000)
  expect(leader.contents()).toEqual({ here: 'of the leader' })
  expect(other.disk.rows.get('there')).toBeUndefined()
  for (const node of cluster.roots) if (node !== other) cluster.cuts.add(`${node.name} store`)
  await cluster.until(() => other.term !== undefined)
  await cluster.until(() => cluster.node('of-all').contents()['there'] === 'of another')
  expect(other.disk.rows.get('there')?.version.epoch).toBe(other.term)
})

test.each([0, 1, 2, 3, 4, 5, 6, 7])(
  'what more than half have acknowledged survives the loss of the disk of the leader [%i]',
  async (seed) => {
    const random = seeded(seed + 500)
    const cluster = clusterOf(seed)
    // The leaf that only `b` has would count, and gives nothing back.
    cluster.cuts.add('b store')
    const leader = await cluster.leader()
    await cluster.pass(10_000)
    const others = [...ROOTS, 'of-all'].filter((name) => name !== leader.name)
    // At first none of the other roots can be reached, but the leaf.
    const isCut = (name: string): boolean => (seed === 0 ? name !== 'of-all' : random() < 0.6)
    for (const name of others) if (isCut(name)) cluster.cuts.add(`${leader.name} ${name}`)
    const acknowledged: string[] = []
    for (let n = 0; n < 5; n++) {
      await leader.put(`k${n}`, `${n}`)
      const reached = leader.reached(`k${n}`, 'quorum', 2000)
      await cluster.pass(2500)
      if (await reached) acknowledged.push(`k${n}`)
    }
    cluster.cuts.delete('b store')
    leader.reinstall()
    cluster.heal()
    // What only the leaf had is nobody's: it was not acknowledged, and a leaf gives nothing back.
    const areAgreed = (): boolean => new Set(cluster.roots.map((root) => JSON.stringify(root.contents()))).size === 1
    await cluster.pass(65_000)
    await cluster.until(() => areAgreed() && cluster.leaders().length === 1)
    expect(Object.keys(leader.contents())).toEqual(expect.arrayContaining(acknowledged))
  },
)

test('what only leaves have of what more than half have acknowledged is taken back when the leader has lost its disk', async () => {
  const cluster = clusterOf(9)
  for (const name of ['a', 'c']) cluster.cuts.add(`${name} store`)
  const leader = await cluster.leader()
  expect(leader.name).toBe('b')
  await cluster.pass(60_000)
  await leader.put('replaced', 'before')
  await leader.put('removed', 'x')
  await cluster.until(() => cluster.areEqual())
  for (const name of ['a', 'c']) cluster.cuts.add(`b ${name}`)
  for (const key of ['k', 'replaced']) await leader.put(key, 'of leaves')
  const reached = Promise.all(['k', 'replaced'].map(async (key) => leader.reached(key, 'quorum', 2000)))
  await cluster.pass(2500)
  expect(await reached).toEqual([true, true])
  leader.kill()
  cluster.heal()
  leader.kill()
  await cluster.until(() => cluster.leaders().length === 1)
  // Only one of the leaves is a child of who leads now, and that is enough.
  await cluster.until(() => cluster.leaders()[0]?.contents()['k'] === 'of leaves', 60_000)
  await cluster.leaders()[0]?.remove('removed')
  leader.reinstall()
  await cluster.until(() => cluster.areEqual(), 120_000)
  expect(leader.contents()).toEqual({ k: 'of leaves', replaced: 'of leaves' })
})

test('what only a leaf of a root that does not lead has comes back through that root', async () => {
  const cluster = clusterOf(10)
  for (const name of ['a', 'c']) cluster.cuts.add(`${name} store`)
  const leader = await cluster.leader()
  await cluster.pass(60_000)
  for (const name of ['a', 'c', 'of-all']) cluster.cuts.add(`b ${name}`)
  await leader.put('k', 'of one leaf')
  await cluster.until(() => cluster.node('of-b').contents()['k'] !== undefined)
  leader.reinstall()
  cluster.heal()
  cluster.cuts.add('b store')
  await cluster.until(() => cluster.leaders()[0] !== undefined && cluster.leaders()[0] !== leader)
  await cluster.until(() => cluster.areEqual(), 120_000)
  expect(cluster.leaders()[0]?.contents()).toEqual({ k: 'of one leaf' })
})

test('a lone root that has lost its disk takes everything back from its children, once they believe it again', async () => {
  const clock = new VirtualClock()
  const store = new MemoryStore({ clock })
  const nodes = new Map<string, RootNode>()
  const world = { clock, store, cuts: new Set<string>(), nodes, sent: new Map<string, number>(), random: seeded(4) }
  nodes.set('root', new RootNode('root', world, ['left', 'right'], false))
  for (const name of ['left', 'right']) nodes.set(name, new RootNode(name, world, [], false))
  for (const node of nodes.values()) node.start()
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 250) {
      await clock.advance(250)
      await turns(3)
    }
  }
  const [root, right] = [nodes.get('root')!, nodes.get('right')!]
  await root.put('both', 'x')
  await pass(5000)
  right.kill()
  await root.put('left', 'only there')
  await pass(5000)
  root.reinstall()
  right.start()
  await pass(150_000)
  const all = { both: 'x', left: 'only there' }
  expect([...nodes.values()].map((node) => node.contents())).toEqual([all, all, all])
  await root.put('both', 'later')
  await pass(5000)
  expect([...nodes.values()].map((node) => node.contents()['both'])).toEqual(['later', 'later', 'later'])
  const lives = [...nodes.values()].flatMap(({ life }) => life ?? [])
  for (const node of nodes.values()) node.kill()
  await pass(20_000)
  await Promise.all(lives.map(async ({ over }) => over))
  await store.close()
})

const CREATE = { ifNoneMatch: ['*'] }

test('a new leader looks at no condition before it knows what the one before it has acknowledged', async () => {
  const cluster = clusterOf(4)
  const former = await cluster.leader()
  await cluster.pass(60_000)
  const [next, other] = cluster.roots.filter((one) => one !== former) as [RootNode, RootNode]
  // Acknowledged by two of three, and the third is the one that leads next.
  cluster.cuts.add(`${former.name} ${next.name}`)
  cluster.cuts.add(`${other.name} ${next.name}`)
  cluster.cuts.add(`${other.name} store`)
  await former.put('k', 'acknowledged')
  const reached = former.reached('k', 'one', 5000)
  await cluster.pass(1000)
  expect(await reached).toBe(true)
  former.kill()
  await cluster.until(() => next.term !== undefined)
  await expect(next.put('k', 'created once more', CREATE)).rejects.toMatchObject({ code: 'NOT_READY' })
  await expect(next.put('k', 'replaced', { ifMatch: ['*'] })).rejects.toMatchObject({ code: 'NOT_READY' })
  // What depends on nothing is written.
  await next.put('free', 'x')
  cluster.cuts.clear()
  const tried = async (): Promise<unknown> =>
    await next
      .put('k', 'created once more', CREATE)
      .catch((error: unknown) => (isError(error, 'NOT_READY') ? 'later' : error))
  let answer = await tried()
  for (let ms = 0; ms < 60_000 && answer === 'later'; ms += 500) {
    await cluster.pass(500)
    answer = await tried()
  }
  expect(answer).toBe('failed-condition')
  expect(next.contents()['k']).toBe('acknowledged')
})

test('where all are there, a new leader looks at conditions within seconds; a dead one it waits for half a minute', async () => {
  const cluster = clusterOf(5)
  const former = await cluster.leader()
  const spent = async (node: RootNode, key: string): Promise<number> => {
    for (let ms = 0; ms <= 60_000; ms += 250) {
      const result = await node.put(key, 'x', CREATE).catch(() => undefined)
      if (result !== undefined) return ms
      await cluster.pass(250)
    }
    return Infinity
  }
  expect(await spent(former, 'first')).toBeLessThan(15_000)
  await cluster.pass(60_000)
  former.kill()
  await cluster.until(() => cluster.leaders().length === 1)
  const waited = await spent(cluster.leaders()[0]!, 'second')
  expect(waited).toBeGreaterThan(20_000)
  expect(waited).toBeLessThan(35_000)
})

interface Written {
  readonly key: string
  /** Undefined: it was removed. */
  readonly content: string | undefined
  readonly version: Version
  readonly begun: number
  readonly ended: number
  readonly level: AckLevel
}

const SEEDS = process.env['FLOTILLA_SOAK'] === '1' ? 300 : 12

test.each(Array.from({ length: SEEDS }, (_, seed) => seed))(
  'kills, partitions and lost leases: one content everywhere, and every acknowledged write survived [%i]',
  async (seed) => {
    const random = seeded(seed)
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!
    const cluster = clusterOf(seed)
    const written: Written[] = []
    const ledBy = new Map<number, string>()
    const under = new Set<Promise<void>>()
    const failures: unknown[] = []
    let moment = 0
    const write = async (node: RootNode, key: string, content: string | undefined, level: AckLevel): Promise<void> => {
      const begun = ++moment
      const { life } = node
      const before = life?.ledger.get(key)
      if (content === undefined) await node.remove(key)
      else await node.put(key, content)
      const row = life?.ledger.get(key)
      // What was gone already needs no operation.
      if (row === undefined || row === before || node.life !== life) return
      const { version } = row
      expect(ledBy.get(version.epoch) ?? node.name).toBe(node.name)
      ledBy.set(version.epoch, node.name)
      // What it is told of that version while a later one may be there already.
      if (node.tree.files.get(key)?.bytes.toString() !== content) return
      const isReached = await node.reached(key, level, 3000)
      if (isReached) written.push({ key, content, version, begun, ended: ++moment, level })
    }
    for (let step = 0; step < 80; step++) {
      const dice = random()
      const name = pick(ROOTS)
      if (dice < 0.5) {
        const node = cluster.leaders()[0] ?? cluster.node(name)
        const content = random() < 0.8 ? `${seed}-${step}` : undefined
        const writing = write(node, pick(['k1', 'k2', 'k3', 'k4']), content, pick(['local', 'one', 'quorum']))
        const refused = (error: unknown): void => {
          if (!isError(error, 'NOT_READY') && node.life !== undefined) failures.push(error)
        }
        const done = writing.catch(refused).finally(() => under.delete(done))
        under.add(done)
      } else if (dice < 0.58) cluster.node(name).kill()
      else if (dice < 0.68 && cluster.node(name).life === undefined) cluster.node(name).start()
      else if (dice < 0.76) cluster.cuts.add(`${name} store`)
      else if (dice < 0.86) cluster.cuts.add(`${name} ${pick([...ROOTS, ...LEAVES])}`)
      else if (dice < 0.93) cluster.cuts.clear()
      await cluster.pass(pick([0, 250, 1000, 4000]))
    }
    cluster.heal()
    await cluster.until(() => under.size === 0)
    await cluster.leader()
    await cluster.until(() => cluster.areEqual())
    await cluster.pass(65_000)
    expect(cluster.areEqual()).toBe(true)
    expect(failures).toEqual([])
    for (const one of written) {
      const row = cluster.node('a').disk.rows.get(one.key)!
      const order = compareVersions(row.version, one.version)
      expect(order).toBeGreaterThanOrEqual(0)
      const content = cluster.node('a').contents()[one.key]
      if (order === 0) expect(content).toBe(one.content)
      // What took its place was not over before it began.
      const last = written.find((other) => other.key === one.key && compareVersions(other.version, row.version) === 0)
      if (last !== undefined) expect(last.ended).toBeGreaterThan(one.begun)
    }
    expect(written.length).toBeGreaterThan(2)
  },
  60_000,
)
