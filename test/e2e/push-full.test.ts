import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, vi } from 'vitest'
import { needs } from '../helpers/needs.ts'
import { run } from '../helpers/program.ts'
import { urlOf } from '../helpers/push-clients.ts'
import { PushCluster, type PushedNode } from '../helpers/push-cluster.ts'
import { tinyDisk } from '../helpers/tiny-disk.ts'
import { contentOf } from '../helpers/write-history.ts'

/** Disks that are full, of real nodes. */
vi.setConfig({ testTimeout: 120_000 })

const test = await needs({ root: true })
const MIB = 1024 * 1024
const SHAPE = { root: ['left', 'right'], left: [], right: [] }

async function put(node: PushedNode, key: string, bytes: Buffer, level: string): Promise<Response> {
  const headers = { 'x-flotilla-ack': level, 'x-flotilla-ack-timeout': '2' }
  return await fetch(urlOf(node, key), { method: 'PUT', body: new Uint8Array(bytes), headers })
}

/** Leaves no room on that disk; what it answers makes room again. */
function fill(disk: string): () => void {
  const { bavail, bsize } = statfsSync(disk)
  const filler = join(disk, 'filler')
  writeFileSync(filler, Buffer.alloc(bavail * bsize))
  return () => rmSync(filler)
}

test('a child whose disk is full holds up nobody, says so, and gets everything by itself when there is room', async () => {
  const disk = tinyDisk(24 * 1024)
  const cluster = await PushCluster.started({ shape: SHAPE, places: { left: join(disk, 'tree') } })
  const before = contentOf(1, 1000)
  expect((await put(cluster.root, 'first', before, 'all')).status).toBe(201)
  const makeRoom = fill(disk)
  for (const [key, size] of [
    ['small', 5000],
    ['large', 4 * MIB],
    ['first', 3 * MIB],
  ] as const) {
    const answer = await put(cluster.root, key, contentOf(2, size), 'quorum')
    expect([key, answer.status]).toEqual([key, 201])
    expect(cluster.node('right').read(key)?.equals(contentOf(2, size))).toBe(true)
  }
  expect((await put(cluster.root, 'asked', contentOf(3, 1000), 'all')).status).toBe(202)
  const missing = await run(['files', 'missing', '--url', cluster.root.url], { cwd: cluster.root.folder, env: {} })
  expect([missing.code, missing.stdout]).toEqual([3, expect.stringContaining('! lacks files')])
  expect(cluster.node('left').read('first')?.equals(before)).toBe(true)
  makeRoom()
  expect([...(await cluster.inStep()).keys()].toSorted()).toEqual(['asked', 'first', 'large', 'small'])
})

test('a root whose disk is full refuses, leaves nothing of it anywhere, and takes writes when there is room', async () => {
  const disk = tinyDisk(24 * 1024)
  const cluster = await PushCluster.started({ shape: SHAPE, places: { root: join(disk, 'tree') } })
  const before = contentOf(1, 1000)
  expect((await put(cluster.root, 'a', before, 'all')).status).toBe(201)
  const makeRoom = fill(disk)
  for (const key of ['a', 'b']) {
    const refused = await put(cluster.root, key, contentOf(2, 4 * MIB), 'local')
    expect([refused.status, await refused.text()]).toEqual([507, expect.stringMatching(/space|full|room/i)])
  }
  const rests = (): readonly string[] => [...cluster.nodes.values()].flatMap((node) => node.temporaries())
  await expect.poll(rests, { timeout: 60_000 }).toEqual([])
  for (const node of cluster.nodes.values()) {
    expect([...node.files().keys()]).toEqual(['a'])
    expect(node.read('a')?.equals(before)).toBe(true)
  }
  makeRoom()
  expect((await put(cluster.root, 'b', contentOf(3, 4 * MIB), 'all')).status).toBe(201)
  expect((await cluster.inStep()).size).toBe(2)
})
