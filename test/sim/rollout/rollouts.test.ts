import { beforeEach, describe, expect, test } from 'vitest'
import type { Rollout } from '../../../src/core/rollout.ts'
import { Cluster, type HubOptions } from './cluster.ts'
import type { SimNode } from './node.ts'

const HOUR_MS = 3_600_000
const FAST = { soakMs: 1000, drainMs: 500, gateTimeoutMs: 20_000 }

let cluster: Cluster

async function begin(nodes: number, proxies = 2, hub: HubOptions = {}): Promise<void> {
  cluster = new Cluster(1)
  const names = (kind: string, count: number): string[] =>
    Array.from({ length: count }, (_, index) => `${kind}${index + 1}`)
  await cluster.begin(names('erd', nodes), names('edge', proxies))
  cluster.startHub('hub1', hub)
  cluster.watcher.unserved.clear()
}

function node(name: string): SimNode {
  const found = cluster.nodes.get(name)
  if (found === undefined) throw new Error(`there is no node ${name}`)
  return found
}

async function rollout(): Promise<Rollout> {
  const found = await cluster.rollouts.get(cluster.tree)
  if (found === undefined) throw new Error('there is no rollout')
  return found.rollout
}

/** Runs until the rollout is as it should be. */
async function until(holds: (rollout: Rollout) => boolean, limitMs = 60_000): Promise<void> {
  for (let ms = 0; ms < limitMs; ms += 100) {
    if (holds(await rollout())) return
    await cluster.run(100)
  }
  expect.fail(`it did not come to that:\n${cluster.watcher.trace.join('\n')}`)
}

function versions(item: string): readonly (number | undefined)[] {
  return [...cluster.nodes.values()].map(({ served }) => served.get(item))
}

/** Nothing was broken, and at every moment somebody could be asked for everything. */
function expectUnnoticed(): void {
  expect({ violations: cluster.watcher.violations, unserved: [...cluster.watcher.unserved] }).toEqual({
    violations: [],
    unserved: [],
  })
}

describe('a change that is good', () => {
  test.for([2, 3, 5])(
    'comes to each of %i nodes while everything is served, and nobody sees the old after the new',
    async (nodes) => {
      await begin(nodes)
      await cluster.release({ effects: { a: 'hard', b: 'soft' } }, FAST)
      expect(await cluster.runToEnd(120_000)).toBe('done')
      expect(versions('a')).toEqual(Array.from({ length: nodes }, () => 2))
      expectUnnoticed()
    },
  )

  test('is shown to clients in one commit, once half of the nodes prove it; the nodes that are still old are drained by it', async () => {
    await begin(5)
    await cluster.release({ effects: { a: 'hard' } }, FAST)
    await until(({ exposed }) => exposed)
    const { nodes } = await rollout()
    expect(Object.values(nodes).filter(({ phase }) => phase === 'proved')).toHaveLength(3)
    const { entries } = await cluster.store.list('drain/')
    expect(entries.map(({ key }) => key)).toEqual(['erd4', 'erd5'].map((name) => `drain/${name}/rollout-datasets`))
  })

  test('that unloads nothing needs no drain where there is no proxy', async () => {
    await begin(3, 0)
    await cluster.release({ effects: { a: 'soft' } }, FAST)
    expect(await cluster.runToEnd(60_000)).toBe('done')
    expect(cluster.watcher.trace.join(' ')).not.toContain('draining')
  })

  test('in no dataset at all is proved node by node too, and drains nothing', async () => {
    await begin(3)
    await cluster.release({ effects: {} }, FAST)
    expect(await cluster.runToEnd(60_000)).toBe('done')
    expect(cluster.watcher.trace.join(' ')).not.toContain('draining')
    expectUnnoticed()
  })

  test('drains nothing in a cluster of one', async () => {
    await begin(1)
    await cluster.release({ effects: { a: 'soft', b: 'hard' } }, FAST)
    expect(await cluster.runToEnd(60_000)).toBe('done')
    expect(cluster.watcher.trace.join(' ')).not.toContain('draining')
    expect(versions('a')).toEqual([2])
  })

  test('goes to as many nodes at once as the strategy says', async () => {
    await begin(5)
    await cluster.release({ effects: { a: 'soft' } }, { ...FAST, wave: 3, maxUnavailable: 3 })
    await until(({ nodes }) => Object.values(nodes).filter(({ phase }) => phase === 'applying').length === 3)
    expect(await cluster.runToEnd(60_000)).toBe('done')
    expect(cluster.watcher.violations).toEqual([])
  })

  test('passes a node on which an item was failed before', async () => {
    await begin(3)
    await cluster.release({ effects: { c: 'soft' }, broken: new Map([['c', 'erd2']]) }, { ...FAST, failedMax: 1 })
    expect(await cluster.runToEnd(120_000)).toBe('done')
    await cluster.release({ effects: { a: 'soft' } }, FAST)
    expect(await cluster.runToEnd(120_000)).toBe('done')
    expect((await rollout()).nodes['erd2']?.failedBefore).toEqual(['c'])
    expect(versions('a')).toEqual([3, 3, 3])
  })
})

describe('a change that is bad', () => {
  test('stops at the first node, which goes back; no other was touched, and no client saw it', async () => {
    await begin(4)
    await cluster.release({ effects: { a: 'soft', b: 'soft' }, broken: new Map([['b', 'everywhere']]) }, FAST)
    expect(await cluster.runToEnd(120_000)).toBe('rolled-back')
    expect((await rollout()).reason).toMatchObject({ code: 'LOAD_FAILED', node: 'erd1', item: 'b' })
    expect([...cluster.watcher.touched]).toEqual(['erd1'])
    expect(cluster.watcher.wasExposed).toBe(false)
    expect(versions('b')).toEqual([1, 1, 1, 1])
    expectUnnoticed()
  })

  test('on the last node only is taken back everywhere, in one commit for clients', async () => {
    await begin(4)
    await cluster.release({ effects: { a: 'hard' }, broken: new Map([['a', 'erd4']]) }, FAST)
    expect(await cluster.runToEnd(300_000)).toBe('rolled-back')
    expect(cluster.watcher.wasExposed).toBe(true)
    expect(versions('a')).toEqual([1, 1, 1, 1])
    expectUnnoticed()
  })
})

describe('a node that is lost', () => {
  test('while it takes up what no client has seen yet takes the change back', async () => {
    await begin(3)
    await cluster.release({ effects: { a: 'hard' } }, FAST)
    await until(({ nodes }) => nodes['erd1']?.phase === 'applying')
    node('erd1').agent = 'hung'
    await until(({ state }) => state === 'reverting')
    expect((await rollout()).reason).toMatchObject({ code: 'NODE_LOST', node: 'erd1' })
    node('erd1').agent = 'up'
    expect(await cluster.runToEnd(60_000)).toBe('rolled-back')
    expect([...cluster.watcher.touched]).toEqual(['erd1'])
    expectUnnoticed()
  })

  test('after clients have seen the change is waited for: nothing is taken back', async () => {
    await begin(3)
    await cluster.release({ effects: { a: 'hard' } }, FAST)
    await until(({ nodes }) => nodes['erd3']?.phase === 'applying')
    node('erd3').agent = 'hung'
    node('erd3').crash()
    await cluster.run(15_000)
    expect(await rollout()).toMatchObject({
      state: 'running',
      exposed: true,
      reason: { code: 'NODE_LOST', node: 'erd3' },
    })
    node('erd3').agent = 'up'
    node('erd3').start()
    expect(await cluster.runToEnd(60_000)).toBe('done')
    expect(versions('a')).toEqual([2, 2, 2])
    expectUnnoticed()
  })

  test('and does not come back is left behind after the time of the gate, without a pin or a drain', async () => {
    await begin(3)
    await cluster.release({ effects: { a: 'hard' } }, FAST)
    await until(({ exposed }) => exposed)
    node('erd3').agent = 'hung'
    expect(await cluster.runToEnd(60_000)).toBe('done')
    expect((await rollout()).nodes['erd3']?.phase).toBe('waiting')
    expect(cluster.watcher.violations).toEqual([])
  })

  test('on its way back is waited for no longer than the time of the gate, and named as failed', async () => {
    await begin(3)
    await cluster.release({ effects: { a: 'hard' } }, FAST)
    await until(({ nodes }) => nodes['erd1']?.phase === 'applying')
    node('erd1').agent = 'hung'
    await until(({ state }) => state === 'reverting')
    await cluster.run(FAST.gateTimeoutMs / 2)
    expect((await rollout()).state).toBe('reverting')
    expect(await cluster.runToEnd(FAST.gateTimeoutMs)).toBe('rolled-back')
    expect((await rollout()).nodes['erd1']?.phase).toBe('failed')
    expectUnnoticed()
  })

  test('before it is reached does not keep the others from going back, beyond the time of the gate', async () => {
    await begin(3)
    await cluster.release({ effects: { a: 'hard' } }, FAST)
    await until(({ nodes }) => nodes['erd2']?.phase === 'proved')
    node('erd3').agent = 'hung'
    await cluster.run(8000)
    await cluster.rollouts.abort(cluster.tree, 'ann')
    await cluster.run(FAST.gateTimeoutMs / 2)
    expect((await rollout()).nodes).toMatchObject({ erd1: { phase: 'proved' }, erd2: { phase: 'proved' } })
    expect(await cluster.runToEnd(FAST.gateTimeoutMs + 60_000)).toBe('aborted')
    expect(versions('a').slice(0, 2)).toEqual([1, 1])
    expect(cluster.watcher.violations).toEqual([])
  })

  test('counts as out of service: no other is touched besides', async () => {
    await begin(3)
    node('erd3').agent = 'hung'
    await cluster.run(8000)
    await cluster.release({ effects: { a: 'soft' } }, FAST)
    await cluster.run(60_000)
    expect(await rollout()).toMatchObject({ state: 'running', reason: { code: 'UNAVAILABLE', node: 'erd3' } })
    expect([...cluster.watcher.touched]).toEqual([])
    node('erd3').agent = 'up'
    expect(await cluster.runToEnd(60_000)).toBe('done')
  })

  test('with all the others ends nothing: what no node has proved is never desired', async () => {
    await begin(2)
    for (const each of cluster.nodes.values()) each.agent = 'hung'
    await cluster.run(8000)
    await cluster.release({ effects: { a: 'soft' } }, FAST)
    await cluster.run(10 * FAST.gateTimeoutMs)
    expect((await rollout()).state).toBe('running')
    expect((await cluster.desired()).release).toBe(1)
  })

  test('and is the last one that serves the old release: clients see the new one at once', async () => {
    await begin(3)
    await cluster.release({ effects: { a: 'hard' } }, { ...FAST, soakMs: 600_000 })
    await until(({ nodes }) => nodes['erd1']?.phase === 'proved')
    node('erd2').crash()
    node('erd3').crash()
    await until(({ exposed }) => exposed)
    expect(cluster.watcher.violations).toEqual([])
  })
})

describe('an application', () => {
  test('that does not answer in time after the change takes it back', async () => {
    await begin(3)
    await cluster.release({ effects: { a: 'hard' } }, FAST)
    await until(({ nodes }) => nodes['erd1']?.phase === 'applying')
    node('erd1').crash()
    await until(({ state }) => state === 'reverting')
    expect((await rollout()).reason).toMatchObject({ code: 'GATE_TIMEOUT', node: 'erd1' })
    node('erd1').start()
    expect(await cluster.runToEnd(60_000)).toBe('rolled-back')
    expectUnnoticed()
  })

  test('that is down before the change is waited for, not blamed', async () => {
    await begin(1)
    node('erd1').crash()
    await cluster.run(2000)
    await cluster.release({ effects: { a: 'hard' } }, FAST)
    await cluster.run(60_000)
    expect(await rollout()).toMatchObject({ state: 'running', reason: { code: 'UNPROVED', node: 'erd1' } })
    node('erd1').start()
    expect(await cluster.runToEnd(60_000)).toBe('done')
  })
})

describe('a proxy', () => {
  test.for(['failed', 'hung'] as const)(
    'that has %s confirms no drain: no node is touched, and the change fails with that reason',
    async (state) => {
      await begin(3)
      for (const proxy of cluster.proxies.values()) proxy.state = state
      await cluster.run(8000)
      await cluster.release({ effects: { a: 'hard' } }, FAST)
      await until(({ reason }) => reason?.code === 'DRAIN_UNCONFIRMED')
      expect((await rollout()).state).toBe('running')
      expect(await cluster.runToEnd(60_000)).toBe('rolled-back')
      expect((await rollout()).reason?.code).toBe('DRAIN_UNCONFIRMED')
      expect([...cluster.watcher.touched]).toEqual([])
      expect(cluster.watcher.violations).toEqual([])
    },
  )
})

describe('a person', () => {
  beforeEach(async () => {
    await begin(4)
    await cluster.release({ effects: { a: 'hard' } }, FAST)
  })

  test('who pauses it sees no further node touched, until it goes on', async () => {
    await until(({ nodes }) => nodes['erd1']?.phase === 'applying')
    await cluster.rollouts.pause(cluster.tree, 'ann')
    await cluster.run(60_000)
    expect(await rollout()).toMatchObject({ state: 'paused', reason: { message: 'paused by ann' } })
    expect([...cluster.watcher.touched]).toEqual(['erd1'])
    await cluster.rollouts.resume(cluster.tree)
    expect(await cluster.runToEnd(60_000)).toBe('done')
    expectUnnoticed()
  })

  test('who pauses it while a node is being drained has the node let go', async () => {
    await until(({ nodes }) => nodes['erd1']?.phase === 'draining')
    await cluster.rollouts.pause(cluster.tree, 'ann')
    await cluster.run(10_000)
    expect((await rollout()).nodes['erd1']?.phase).toBe('waiting')
    expect((await cluster.store.list('drain/')).entries).toEqual([])
    expect([...cluster.watcher.touched]).toEqual([])
  })

  test.for(['draining', 'applying', 'proved'] as const)(
    'who aborts it while the third node is %s has every node go back',
    async (phase) => {
      await until(({ nodes }) => nodes['erd3']?.phase === phase)
      await cluster.rollouts.abort(cluster.tree, 'ann')
      expect(await cluster.runToEnd(120_000)).toBe('aborted')
      expect(versions('a')).toEqual([1, 1, 1, 1])
      expectUnnoticed()
    },
  )

  test('who drains a node by hand has it counted as out of service', async () => {
    await cluster.rollouts.abort(cluster.tree, 'ann')
    await cluster.runToEnd(120_000)
    await cluster.rollouts.drain('erd2', { tree: cluster.tree, reason: 'disk', by: 'ann' })
    await cluster.release({ effects: { a: 'hard' } }, FAST)
    await until(({ nodes }) => nodes['erd2']?.phase === 'proved')
    await cluster.run(20_000)
    expect(await rollout()).toMatchObject({ exposed: false, reason: { code: 'UNAVAILABLE', node: 'erd2' } })
    await cluster.rollouts.undrain('erd2')
    expect(await cluster.runToEnd(60_000)).toBe('done')
    expectUnnoticed()
  })
})

test('a node that somebody keeps drained does not keep the others from going back, beyond the time of the gate', async () => {
  await begin(3)
  await cluster.release({ effects: { a: 'hard' } }, FAST)
  await until(({ nodes }) => nodes['erd1']?.phase === 'proved')
  await cluster.rollouts.drain('erd3', { tree: cluster.tree, reason: 'disk', by: 'ann' })
  await cluster.run(1000)
  await cluster.rollouts.abort(cluster.tree, 'ann')
  await cluster.run(FAST.gateTimeoutMs / 2)
  expect((await rollout()).nodes['erd1']?.phase).toBe('proved')
  expect(await cluster.runToEnd(FAST.gateTimeoutMs + 60_000)).toBe('aborted')
  expect(versions('a')).toEqual([1, 1, 1])
  expect(cluster.watcher.violations).toEqual([])
})

test('a person who aborts it between a step that is decided and its commit is heard', async () => {
  const slow = { faults: (operation: string) => (operation === 'commit' ? { delayMs: 700 } : undefined) }
  for (let afterMs = 0; afterMs < 16_000; afterMs += 400) {
    await begin(2, 1, slow)
    await cluster.release({ effects: { a: 'hard' } }, FAST)
    await cluster.run(afterMs)
    if ((await rollout()).state !== 'running') break
    await cluster.rollouts.abort(cluster.tree, 'ann')
    expect({ afterMs, end: await cluster.runToEnd(120_000) }).toEqual({ afterMs, end: 'aborted' })
    expect(cluster.watcher.trace.slice(-8).join('\n')).toContain('aborted by ann')
    expectUnnoticed()
  }
})

test('no wave begins in a freeze window; one that is under way comes to its end', async () => {
  await begin(3)
  const day = new Date(cluster.clock.nowMs()).getUTCDay()
  const time = (ms: number): string => new Date(ms).toISOString().slice(11, 16)
  const from = time(cluster.clock.nowMs() + 60_000)
  const freeze = [{ days: [day], from, to: time(cluster.clock.nowMs() + HOUR_MS / 6) }]
  await cluster.release({ effects: { a: 'hard' } }, { ...FAST, soakMs: 60_000, freeze })
  await until(({ reason }) => reason?.code === 'FROZEN', 300_000)
  expect(Object.values((await rollout()).nodes).map(({ phase }) => phase)).toEqual(['proved', 'waiting', 'waiting'])
  await cluster.run(HOUR_MS / 12)
  expect((await rollout()).state).toBe('running')
  expect(await cluster.runToEnd(HOUR_MS)).toBe('done')
  expectUnnoticed()
})

test('something to be done once more is done once on each node, one after the other', async () => {
  await begin(3)
  const before = [...cluster.nodes.values()].map(({ loads }) => loads)
  await cluster.reload(['a', 'b'], FAST)
  expect(await cluster.runToEnd(60_000)).toBe('done')
  await cluster.run(10_000)
  expect([...cluster.nodes.values()].map(({ loads }, index) => loads - (before[index] ?? 0))).toEqual([2, 2, 2])
  expect((await cluster.desired()).release).toBe(1)
  expectUnnoticed()
})

test('a hub whose clock is an hour ahead takes over, and nothing is late because of it', async () => {
  await begin(3)
  const slow = cluster.nodes.get('erd2')
  if (slow !== undefined) slow.slowness = 5
  await cluster.release({ effects: { a: 'hard' } }, FAST)
  await until(({ nodes }) => nodes['erd2']?.phase === 'applying')
  for (const offsetMs of [HOUR_MS, -HOUR_MS]) {
    cluster.killHubs()
    cluster.startHub(`hub at ${offsetMs}`, { offsetMs })
    await cluster.run(8000)
  }
  expect(await cluster.runToEnd(120_000)).toBe('done')
  expectUnnoticed()
})
