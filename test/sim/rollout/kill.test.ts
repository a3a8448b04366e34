import { expect, test } from 'vitest'
import { Cluster } from './cluster.ts'
import type { ContentChange } from './content.ts'

/*
 * A hub that is killed at any moment of a rollout leaves a state in which another one goes on. Every call it makes of the store
 * is two moments: before it, and after it, when it does not know.
 */
interface Played {
  readonly cluster: Cluster
  readonly points: number
  readonly end: string
}

const NODES = ['erd1', 'erd2', 'erd3']

async function play(change: ContentChange, killAt: number | undefined): Promise<Played> {
  const cluster = new Cluster(5)
  await cluster.begin(NODES, ['edge1', 'edge2'])
  cluster.watcher.unserved.clear()
  const hub = cluster.startHub('hub1', killAt === undefined ? {} : { killAt })
  await cluster.release(change, { soakMs: 1000, drainMs: 500 })
  if (killAt !== undefined) {
    for (let ms = 0; ms < 60_000 && !hub.life.isOver; ms += 100) await cluster.run(100)
    // Another hub, the clock of which is an hour behind, while the lease of the first one still lasts.
    cluster.startHub('hub2', { offsetMs: -3_600_000 })
  }
  const end = await cluster.runToEnd(300_000)
  await cluster.run(10_000)
  return { cluster, points: hub.life.points, end }
}

const STORIES: readonly (readonly [string, ContentChange, string, number])[] = [
  ['goes out', { effects: { a: 'hard', b: 'soft', c: 'soft' } }, 'done', 2],
  ['fails on the last node', { effects: { a: 'hard', b: 'soft' }, broken: new Map([['a', 'erd3']]) }, 'rolled-back', 1],
]
const TITLE = 'killed at any moment of a rollout that %s, a hub leaves a state in which another goes on'

test.for(STORIES)(TITLE, { timeout: 60_000 }, async ([, change, outcome, version]) => {
  const undisturbed = await play(change, undefined)
  expect(undisturbed.end).toBe(outcome)
  expect(undisturbed.points).toBeGreaterThan(40)
  for (let killAt = 1; killAt <= undisturbed.points; killAt++) {
    const { cluster, end } = await play(change, killAt)
    const { violations, unserved, trace } = cluster.watcher
    const served = [...cluster.nodes.values()].map((node) => node.served.get('a'))
    const seen = { killAt, end, violations, unserved: [...unserved], served }
    const wanted = { killAt, end: outcome, violations: [], unserved: [], served: NODES.map(() => version) }
    expect(seen, trace.join('\n')).toEqual(wanted)
  }
})
