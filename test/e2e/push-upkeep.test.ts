import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { type Ran, run } from '../helpers/program.ts'
import { PushCluster, type PushedNode } from '../helpers/push-cluster.ts'
import { urlOf } from '../helpers/push-clients.ts'

/** What people ask about the children of a file service, and tell it to do. */
vi.setConfig({ testTimeout: 120_000 })

const CHILD = { root: ['child'], child: [] }

async function put(node: PushedNode, key: string, content: string): Promise<void> {
  const answer = await fetch(urlOf(node, key), { method: 'PUT', body: content })
  expect(answer.ok).toBe(true)
}

async function flotilla({ url, folder }: PushedNode, ...argv: readonly string[]): Promise<Ran> {
  return await run(['files', ...argv, '--url', url], { cwd: folder, env: {} })
}

/** What the root calls it. */
function nameOf({ wire }: PushedNode): string {
  return new URL(wire.url).host
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(50)
}

test('a child that is away is shown with all it lacks, and as in step when it is back', async () => {
  const cluster = await PushCluster.started({ shape: CHILD })
  const child = cluster.node('child')
  await put(cluster.root, 'old', 'old')
  await until(async () => (await flotilla(cluster.root, 'missing')).code === 0)
  await child.kill()
  await put(cluster.root, 'a/new', 'content')
  await fetch(urlOf(cluster.root, 'old'), { method: 'DELETE' })
  const away = await flotilla(cluster.root, 'missing')
  expect([away.code, away.stdout]).toEqual([3, expect.stringMatching(/unreachable +2 files, 7 B/)])
  const files = await flotilla(cluster.root, 'missing', nameOf(child))
  expect([files.code, files.stdout]).toEqual([
    3,
    expect.stringMatching(/ 7 B .* tree\/a\/new\n +delete .* tree\/old\n/),
  ])
  await child.start()
  await until(async () => (await flotilla(cluster.root, 'missing')).code === 0)
  const back = await flotilla(cluster.root, 'missing', nameOf(child))
  expect([back.code, back.stdout]).toEqual([0, ''])
  expect((await cluster.inStep()).size).toBe(1)
})

test('what was changed behind our backs at a child is told by a dry run, and sent again by a repair; what only it has stays', async () => {
  const cluster = await PushCluster.started({ shape: CHILD })
  const child = cluster.node('child')
  for (let id = 0; id < 20; id++) await put(cluster.root, `d/${id}`, `content ${id}`)
  await cluster.inStep()
  rmSync(join(child.folder, 'd/3'))
  writeFileSync(join(child.folder, 'd/4'), 'something else')
  writeFileSync(join(child.folder, 'extra'), 'only here')
  const found = /- missing there +tree\/d\/3\n~ other there +tree\/d\/4\n\+ only there +tree\/extra\n/
  // The child has to notice it first.
  await until(async () => found.test((await flotilla(cluster.root, 'repair', '--dry-run')).stdout))
  expect(existsSync(join(child.folder, 'd/3'))).toBe(false)
  const repaired = await flotilla(cluster.root, 'repair', nameOf(child))
  expect([repaired.code, repaired.stdout]).toEqual([3, expect.stringContaining('2 files on the way')])
  await until(
    async () => child.read('d/3')?.toString() === 'content 3' && child.read('d/4')?.toString() === 'content 4',
  )
  await until(async () =>
    /0 missing there, 0 other there, 1 only there/.test((await flotilla(cluster.root, 'repair')).stdout),
  )
  expect(child.read('extra')?.toString()).toBe('only here')
})

test('a file that was removed from the folder of the root only is no difference that a repair has to mend', async () => {
  const cluster = await PushCluster.started({ shape: CHILD })
  const child = cluster.node('child')
  await put(cluster.root, 'old', 'content')
  await put(cluster.root, 'new', 'content')
  await cluster.inStep()
  rmSync(join(cluster.root.folder, 'old'))
  const noted = /1 file removed from the folder here only/
  await until(async () => noted.test((await flotilla(cluster.root, 'repair', '--dry-run')).stderr))
  const { code, stdout, stderr } = await flotilla(cluster.root, 'repair')
  expect([code, stdout, stderr]).toEqual([0, expect.stringContaining('dropped here'), expect.stringMatching(noted)])
  expect(child.read('old')?.toString()).toBe('content')
})

test('a key with a line break is one row of what is missing', async () => {
  const cluster = await PushCluster.started({ shape: CHILD })
  const child = cluster.node('child')
  await child.kill()
  await put(cluster.root, 'a\n       1 B  forged\tx\u001b[2J', 'content')
  const { stdout } = await flotilla(cluster.root, 'missing', nameOf(child))
  expect(stdout.split('\n')).toEqual([expect.stringContaining('a\\u000a       1 B  forged\\u0009x\\u001b[2J'), ''])
})

test('a child that lost its files is filled again when it is provisioned; what it has does not travel', async () => {
  const cluster = await PushCluster.started({ shape: CHILD })
  const child = cluster.node('child')
  for (let id = 0; id < 20; id++) await put(cluster.root, `d/${id}`, 'x'.repeat(1000))
  await cluster.inStep()
  for (let id = 0; id < 5; id++) rmSync(join(child.folder, `d/${id}`))
  const done = await flotilla(cluster.root, 'provision', nameOf(child))
  expect([done.code, done.stdout]).toEqual([0, expect.stringMatching(/in step, 4\.9 KiB travelled/)])
  expect((await cluster.inStep()).size).toBe(20)
})

test('a child that is not there is told with those that are', async () => {
  const cluster = await PushCluster.started({ shape: CHILD })
  const { code, stderr } = await flotilla(cluster.root, 'provision', 'nowhere:1')
  expect([code, stderr]).toEqual([1, expect.stringContaining(`It has: ${nameOf(cluster.node('child'))}.`)])
})
