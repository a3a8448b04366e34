import { setTimeout as delay } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { PushCluster, type PushedNode } from '../helpers/push-cluster.ts'
import { urlOf } from '../helpers/push-clients.ts'

vi.setConfig({ testTimeout: 120_000 })

async function put(node: PushedNode, content: string, query = ''): Promise<number> {
  const answer = await fetch(urlOf(node, 'file') + query, { method: 'PUT', body: content })
  await answer.text()
  return answer.status
}

test('what was written to a child that took over as the root is not lost when it is started as a child of the old root again', async () => {
  const cluster = await PushCluster.started({ shape: { root: ['child'], child: [] } })
  const child = cluster.node('child')
  expect(await put(cluster.root, 'before', '?ack=all')).toBe(201)
  expect(await put(child, 'refused')).toBe(403)
  await cluster.root.kill()
  await child.kill()
  await child.start('--root')
  expect(await put(child, 'written since')).toBe(200)
  await child.kill()
  await cluster.root.start()
  await child.start()
  while (
    child.running?.said().includes('took over') !== true &&
    cluster.root.running?.said().includes('took over') !== true
  ) {
    await delay(50)
  }
  expect(child.read('file')?.toString()).toBe('written since')
})
