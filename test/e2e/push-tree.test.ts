import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { PushCluster, type PushedNode } from '../helpers/push-cluster.ts'
import { urlOf } from '../helpers/push-clients.ts'
import { contentOf } from '../helpers/write-history.ts'

/** A tree of file services as people start them, each a process of its own. */
vi.setConfig({ testTimeout: 120_000 })

const ALL = { 'x-flotilla-ack': 'all' }
const TWO = { root: ['left', 'right'], left: [], right: [] }
const MIB = 1024 * 1024

async function put(node: PushedNode, key: string, bytes: Uint8Array, headers = {}): Promise<Response> {
  return await fetch(urlOf(node, key), { method: 'PUT', body: new Uint8Array(bytes), headers })
}

async function fill(node: PushedNode, from: number, count: number): Promise<void> {
  for (let id = from; id < from + count; id++) {
    const answer = await put(node, `d${id % 7}/f${id}`, contentOf(id, id % 5 === 0 ? 0 : 3000))
    expect(answer.ok).toBe(true)
  }
}

test('200 clients put at the same moment: every file is on every node when it is acknowledged', async () => {
  const cluster = await PushCluster.started({ shape: TWO })
  const ids = Array.from({ length: 200 }, (_, index) => index + 1)
  await Promise.all(
    ids.map(async (id) => {
      const content = contentOf(id, 60_000)
      const answer = await put(cluster.root, `many/${id}`, content, ALL)
      expect([answer.status, await answer.text()]).toEqual([201, expect.not.stringContaining('error')])
      for (const node of cluster.nodes.values()) expect(node.read(`many/${id}`)?.equals(content)).toBe(true)
    }),
  )
  expect((await cluster.inStep()).size).toBe(ids.length)
})

test('what is put through any of the four levels below is read from every node; what is removed is nowhere', async () => {
  const shape = { root: ['one'], one: ['two'], two: ['three'], three: [] }
  const cluster = await PushCluster.started({ shape })
  expect((await put(cluster.root, 'deep/song.mp3', contentOf(1, 50_000), ALL)).status).toBe(201)
  for (const node of cluster.nodes.values()) {
    const answer = await fetch(urlOf(node, 'deep/song.mp3'))
    expect(contentOf(1, 50_000).equals(Buffer.from(await answer.arrayBuffer()))).toBe(true)
  }
  const gone = await fetch(urlOf(cluster.root, 'deep/song.mp3'), { method: 'DELETE', headers: ALL })
  expect(gone.status).toBe(200)
  for (const node of cluster.nodes.values()) {
    expect(node.read('deep/song.mp3')).toBeUndefined()
    expect((await fetch(urlOf(node, 'deep/song.mp3'))).status).toBe(404)
  }
  // Whoever is fed takes nothing from others, and says who does.
  const refused = await put(cluster.node('two'), 'x', Buffer.from('x'))
  expect([refused.status, await refused.text()]).toEqual([403, expect.stringMatching(/127\.0\.0\.1/)])
})

test('a client that stops midway leaves nothing on any node, and what was there before stays', async () => {
  const cluster = await PushCluster.started({ shape: TWO })
  const before = contentOf(1, 1000)
  expect((await put(cluster.root, 'a', before, ALL)).status).toBe(201)
  for (const key of ['a', 'new']) {
    const sending = request(urlOf(cluster.root, key), {
      method: 'PUT',
      headers: { 'content-length': 64 * MIB, ...ALL },
    })
    const broken = new Promise((resolve) => sending.on('error', resolve))
    sending.write(Buffer.alloc(16 * MIB))
    // A child has some of it already.
    while (cluster.node('left').temporaries().length === 0) await delay(20)
    sending.destroy()
    await broken
  }
  const rests = (): readonly string[] => [...cluster.nodes.values()].flatMap((node) => node.temporaries())
  await expect.poll(rests, { timeout: 60_000 }).toEqual([])
  for (const node of cluster.nodes.values()) {
    expect([...node.files().keys()]).toEqual(['a'])
    expect(node.read('a')?.equals(before)).toBe(true)
  }
})

test('a child that was down is in step again by itself, removals and overwritten files included', async () => {
  const cluster = await PushCluster.started({ shape: TWO })
  await fill(cluster.root, 1, 60)
  await cluster.inStep()
  const child = cluster.node('left')
  await child.kill()
  await fill(cluster.root, 30, 60)
  expect((await put(cluster.root, 'd1/f1', contentOf(1000, 3 * MIB))).ok).toBe(true)
  for (const id of [2, 3, 4]) await fetch(urlOf(cluster.root, `d${id % 7}/f${id}`), { method: 'DELETE' })
  await child.start()
  const files = await cluster.inStep()
  expect(files.size).toBe(89 - 3)
  expect(files.get('d1/f1')?.equals(contentOf(1000, 3 * MIB))).toBe(true)
})

test('a root that is killed and comes back goes on where it was', async () => {
  const cluster = await PushCluster.started({ shape: TWO })
  await cluster.node('left').kill()
  await fill(cluster.root, 1, 40)
  await cluster.root.kill()
  await cluster.node('left').start()
  await cluster.root.start()
  expect((await cluster.inStep()).size).toBe(40)
})

test('a child that was installed anew, with nothing of before, gets everything', async () => {
  const cluster = await PushCluster.started({ shape: TWO })
  await fill(cluster.root, 1, 50)
  await cluster.inStep()
  await cluster.node('right').reinstall()
  expect(readdirSync(cluster.node('right').folder).length).toBeLessThan(8)
  expect((await cluster.inStep()).size).toBe(50)
})

test('what is copied into the folder of the root goes to every node; what is removed there is still read, from a child', async () => {
  const cluster = await PushCluster.started({ shape: TWO })
  const { root } = cluster
  writeFileSync(`${root.folder}/copied`, 'by hand')
  await cluster.inStep()
  while (cluster.node('left').read('copied') === undefined) await delay(20)
  rmSync(`${root.folder}/copied`)
  await expect.poll(async () => (await fetch(urlOf(root, 'copied'))).text(), { timeout: 60_000 }).toBe('by hand')
  expect(cluster.node('right').read('copied')?.toString()).toBe('by hand')
})

test('nodes that may relay pass on to their siblings what they get: with ten children the root writes each byte about once to one of them', async () => {
  const names = Array.from({ length: 10 }, (_, index) => `c${index}`)
  const shape = { root: names, ...Object.fromEntries(names.map((name) => [name, []])) }
  const cluster = await PushCluster.started({ shape, args: ['--relay'] })
  await fill(cluster.root, 1, 1)
  await cluster.inStep()
  const before = cluster.root.writtenBytes()
  const sizes = [2 * MIB, 3 * MIB, 900_000, 800_000, 700_000]
  for (const [index, size] of sizes.entries()) {
    const answer = await put(cluster.root, `relayed/${index}`, contentOf(50 + index, size), ALL)
    expect(answer.status).toBe(201)
  }
  await cluster.inStep()
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  // Once to its own disk, and to the children.
  expect(cluster.root.writtenBytes() - before).toBeLessThan(bytes + 1.3 * bytes)
})
