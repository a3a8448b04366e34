import { describe, expect, test } from 'vitest'
import type { FaultPlan, StoreFault } from '../../fault/flaky-store.ts'
import { Cluster, type HubOptions } from './cluster.ts'
import type { ContentChange } from './content.ts'

/*
 * A hub that is killed, or stopped, at any moment of a rollout leaves a state in which another one goes on, and does no harm
 * when it comes back. Every call it makes of the store is two moments: before it, and after it, when it does not know.
 */
interface Story {
  readonly name: string
  readonly change: ContentChange
  readonly end: string
  /** Of item `a`, on every node. */
  readonly version: number
}

const STORIES: readonly Story[] = [
  { name: 'goes out', change: { effects: { a: 'hard', b: 'soft', c: 'soft' } }, end: 'done', version: 2 },
  {
    name: 'fails on the last node',
    change: { effects: { a: 'hard', b: 'soft' }, broken: new Map([['a', 'erd3']]) },
    end: 'rolled-back',
    version: 1,
  },
]

const HOUR_MS = 3_600_000

async function begin(change: ContentChange, options: HubOptions): Promise<Cluster> {
  const cluster = new Cluster(5)
  await cluster.begin(['erd1', 'erd2', 'erd3'], ['edge1', 'edge2'])
  cluster.watcher.unserved.clear()
  cluster.startHub('hub1', options)
  await cluster.release(change, { soakMs: 1000, drainMs: 500 })
  return cluster
}

async function expectEnd(cluster: Cluster, { end, version }: Story, at: number): Promise<void> {
  const state = await cluster.runToEnd(300_000)
  await cluster.run(10_000)
  const { violations, unserved, trace } = cluster.watcher
  const served = [...cluster.nodes.values()].map((node) => node.served.get('a'))
  expect({ at, state, violations, unserved: [...unserved], served }, trace.join('\n')).toEqual({
    at,
    state: end,
    violations: [],
    unserved: [],
    served: [version, version, version],
  })
}

/** The `at`th commit goes wrong, counted from 1. `commits` is how many there were. */
function atCommit(at: number, fault: StoreFault): { readonly faults: FaultPlan; readonly commits: () => number } {
  let commits = 0
  const faults: FaultPlan = (operation) => {
    if (operation !== 'commit') return undefined
    commits += 1
    return commits === at ? fault : undefined
  }
  return { faults, commits: () => commits }
}

describe.for(STORIES)('while a rollout that $name is under way', (story) => {
  test('a hub that is killed at any moment leaves it to another', { timeout: 60_000 }, async () => {
    const undisturbed = await begin(story.change, {})
    await expectEnd(undisturbed, story, 0)
    const points = undisturbed.hubs[0]?.life.points ?? 0
    expect(points).toBeGreaterThan(40)
    for (let killAt = 1; killAt <= points; killAt++) {
      const cluster = await begin(story.change, { killAt })
      const [first] = cluster.hubs
      for (let ms = 0; ms < 60_000 && first?.life.isOver === false; ms += 100) await cluster.run(100)
      // While the lease of the first one lasts, and with a clock that is an hour behind.
      cluster.startHub('hub2', { offsetMs: -HOUR_MS })
      await expectEnd(cluster, story, killAt)
    }
  })

  test.for([
    ['is stopped before any commit, until another one has its office, commits nothing more of it', { delayMs: 20_000 }],
    ['does not learn that a commit was made goes on from it', 'lose-answer'],
    ['cannot make a commit makes it later', 'refuse'],
  ] as const)('a hub that %s', { timeout: 60_000 }, async ([, fault]) => {
    const all = atCommit(0, fault)
    await expectEnd(await begin(story.change, { faults: all.faults }), story, 0)
    expect(all.commits()).toBeGreaterThan(8)
    for (let at = 1; at <= all.commits(); at++) {
      const cluster = await begin(story.change, { faults: atCommit(at, fault).faults })
      cluster.startHub('hub2', { offsetMs: HOUR_MS })
      await expectEnd(cluster, story, at)
    }
  })
})
