import { describe, expect, test } from 'vitest'
import { Cluster } from './cluster.ts'

const NODES = ['erd1', 'erd2', 'erd3'] as const

async function started(
  proxies: readonly string[] = ['edge1', 'edge2'],
  nodes: readonly string[] = NODES,
): Promise<Cluster> {
  const cluster = new Cluster(1)
  await cluster.begin(nodes, proxies)
  cluster.startHub('hub1')
  return cluster
}

describe('a rollout', () => {
  test('takes a hard change to every node while every item can be asked for, and clients never go back', async () => {
    const cluster = await started()
    cluster.watcher.unserved.clear()
    const number = await cluster.release({ effects: { a: 'hard', b: 'soft' } }, { soakMs: 2000 })
    const end = await cluster.runToEnd(120_000)
    console.log(cluster.watcher.trace.join('\n'))
    expect(end).toBe('done')
    expect(cluster.watcher.violations).toEqual([])
    expect([...cluster.watcher.unserved]).toEqual([])
    await cluster.run(3000)
    for (const node of cluster.nodes.values()) expect(node.served.get('a')).toBe(number)
  })
})
