import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { temporaryFolder } from '../helpers/folder.ts'
import { run } from '../helpers/program.ts'
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

test('a former root hears of the one that took over, takes no more writes, and says what only it has', async () => {
  const cluster = await PushCluster.started({ shape: { root: ['child'], child: [] } })
  const { root } = cluster
  const child = cluster.node('child')
  const name = new URL(child.wire.url).host
  expect(await put(root, 'before', '?ack=all')).toBe(201)
  await child.kill()
  expect(await put(root, 'taken alone', '?ack=local')).toBe(201)
  await root.kill()
  await child.start('--root')
  expect(await put(child, 'written since')).toBe(200)
  await root.start()
  await expect.poll(async () => put(root, 'too late'), { timeout: 60_000 }).toBe(403)
  const refused = await fetch(urlOf(root, 'file'), { method: 'PUT', body: 'x' })
  expect(await refused.text()).toContain(`${name} took this tree over`)
  const missing = await run(['files', 'missing', '--url', root.url], { cwd: root.folder, env: {} })
  expect([missing.code, missing.stdout]).toEqual([
    3,
    expect.stringMatching(/refused .* 1 file, .* OUTDATED: .* took over/),
  ])
  expect(missing.stderr).toContain(`${name} took tree over from this node, which takes no more writes`)
  expect(root.running?.said()).toContain('another node took over from this root')
  expect(child.read('file')?.toString()).toBe('written since')
})

test('a loop is told at every node above it, and nobody waits for what it keeps from coming', async () => {
  const cluster = await PushCluster.of({ shape: { top: ['root'], root: ['middle'], middle: ['leaf'], leaf: ['root'] } })
  const top = cluster.root
  await top.start()
  await cluster.node('root').start()
  // Who is fed from above is not fed by the leaf, whoever greets first.
  expect(await put(top, 'before', '?ack=one')).toBe(201)
  await Promise.all(['middle', 'leaf'].map(async (name) => cluster.node(name).start()))
  const missing = async (): Promise<string> =>
    (await run(['files', 'missing', '--url', top.url], { cwd: top.folder, env: {} })).stdout
  await expect.poll(missing, { timeout: 60_000 }).toMatch(/not below it .*below it .*LOOP/)
  const answer = await fetch(`${urlOf(top, 'file')}?ack=all`, { method: 'PUT', body: 'x' })
  expect([answer.status, await answer.text()]).toEqual([202, expect.stringMatching(/error: .* below it .*LOOP/)])
})

test('a key that a child does not take is told with the line that is missing there', async () => {
  const cluster = await PushCluster.of({ shape: { root: ['child'], child: [] } })
  const { root } = cluster
  const child = cluster.node('child')
  const file = (name: string, text: string): string => {
    const path = join(temporaryFolder(), name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  const childKey = file('child-key', 'not-the-one\n')
  await child.start('--api-key-file', file('keys', 'another parent tree\n'))
  await root.start('--child-key-file', childKey)
  const missing = async (): Promise<readonly [string, string]> => {
    const { stdout, stderr } = await run(['files', 'missing', '--url', root.url], { cwd: root.folder, env: {} })
    return [stdout, stderr]
  }
  const hint = `needs a line with the key that is in ${childKey} here: KEY parent tree`
  await expect
    .poll(missing, { timeout: 60_000 })
    .toEqual([expect.stringMatching(/refused .* UNAUTHENTICATED/), expect.stringContaining(hint)])
  expect(root.running?.said()).toContain(hint)
})
