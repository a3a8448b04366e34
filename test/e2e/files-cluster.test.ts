import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FilesCluster, type FilesNode, publish } from '../helpers/files-cluster.ts'

/** A hub, one node that serves files, two that pull them from the cluster and serve them too. */

const cluster = new FilesCluster()
let origin: FilesNode
let first: FilesNode
let second: FilesNode

beforeAll(async () => {
  await cluster.startHub()
  origin = await cluster.addNode('origin', 'serve')
  for (let index = 0; index < 20; index++) publish(origin.data, `icon/temperature/chunk_${index}.om`, `chunk ${index}`)
  first = await cluster.addNode('first', 'pull')
  second = await cluster.addNode('second', 'pull', { delete: true })
}, 60_000)

afterAll(async () => await cluster.stop(), 60_000)

function content(node: FilesNode, path: string): string | undefined {
  const file = join(node.data, path)
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined
}

const pullers = (): readonly FilesNode[] => [first, second]

async function bothHave(path: string, wanted: string | undefined): Promise<void> {
  const ask = (): readonly (string | undefined)[] => pullers().map((node) => content(node, path))
  await cluster.until(`both have ${path}`, ask, (found) => found.every((one) => one === wanted))
}

test('what a node serves comes to all that pull it, and the status says so', async () => {
  await bothHave('icon/temperature/chunk_19.om', 'chunk 19')
  const status = await cluster.until(
    'all are in step',
    async () => await cluster.status(),
    ({ state }) => state === 'in-step',
  )
  expect(status.summary).toBe('IN STEP files data, 2/2 nodes have them')
  const found = status.nodes.find(({ node }) => node === 'first')
  expect(found?.files?.['data']).toMatchObject({ state: 'in-step', from: 'cluster data', files: 20 })
  expect(found?.alive).toMatchObject({ filesUrl: first.url, filesTrees: ['data'], filesPulled: ['data'] })
  expect(await cluster.flotilla('status')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('IN STEP') as string,
  })
}, 60_000)

test('a change is everywhere without anybody waiting for a round, and where says who has which version', async () => {
  publish(origin.data, 'icon/temperature/chunk_0.om', 'another')
  await bothHave('icon/temperature/chunk_0.om', 'another')
  const where = async () => await cluster.flotilla('files', 'where', 'data/icon/temperature/chunk_0.om', '--json')
  const same = await cluster.until('all say that they have it', where, ({ code }) => code === 0)
  const { copies } = JSON.parse(same.stdout) as { copies: { node: string; state: string }[] }
  expect(copies.map(({ node, state }) => [node, state])).toEqual([
    ['first', 'same'],
    ['origin', 'same'],
    ['second', 'same'],
  ])
}, 60_000)

test('the doctor looks at what is served and pulled', async () => {
  const doctor = await cluster.flotilla('doctor', '--state', first.state)
  expect(doctor.stdout).toMatch(/address: answers at 127\.0\.0\.1:\d+/)
  expect(doctor.stdout).toMatch(/ok .* sources: cluster/)
  expect(doctor).toMatchObject({ code: 0 })
}, 60_000)

test('why says which rule leaves a file out, or that it is only here', async () => {
  publish(first.data, 'own.txt', 'own')
  const here = await cluster.until(
    'it is noticed',
    async () => await cluster.flotilla('files', 'why', 'data/own.txt', '--url', first.url),
    ({ code }) => code === 0,
  )
  expect(here.stdout).toContain('is there, 3 bytes')
  const absent = await cluster.flotilla('files', 'why', 'data/none.txt', '--url', first.url)
  expect(absent).toMatchObject({ code: 3, stdout: expect.stringContaining('from cluster data') as string })
}, 60_000)

test('with the origin killed the others serve on; what is deleted at the origin goes where that is wanted', async () => {
  await origin.agent.stop('SIGKILL')
  const answer = await fetch(`${first.url}/data/icon/temperature/chunk_0.om`)
  expect([answer.status, await answer.text()]).toEqual([200, 'another'])
  // It only serves, and pulls nothing: what it had is not forgotten with its lease.
  const lost = await cluster.until(
    'it is told as lost',
    async () => await cluster.flotilla('files', 'where', 'data/icon/temperature/chunk_0.om', '--json'),
    ({ stdout }) => stdout.includes('the node is lost'),
  )
  expect(lost.code).toBe(3)
  expect((JSON.parse(lost.stdout) as { copies: unknown[] }).copies).toContainEqual({
    node: 'origin',
    state: 'unknown',
    message: 'the node is lost',
  })
  expect((await cluster.flotilla('nodes')).stdout).toMatch(/origin +! lost/)
  rmSync(join(origin.data, 'icon/temperature/chunk_1.om'))
  publish(origin.data, 'icon/temperature/chunk_20.om', 'new')
  origin.agent = cluster.startAgent(origin.state)
  await bothHave('icon/temperature/chunk_20.om', 'new')
  await cluster.until(
    'it is gone',
    () => content(second, 'icon/temperature/chunk_1.om'),
    (found) => found === undefined,
  )
  expect(content(first, 'icon/temperature/chunk_1.om')).toBe('chunk 1')
}, 90_000)

test('without the hub files go on being pulled and served', async () => {
  await cluster.killHub()
  publish(origin.data, 'icon/temperature/chunk_21.om', 'without')
  await bothHave('icon/temperature/chunk_21.om', 'without')
  await cluster.startHub()
  await cluster.until(
    'all are in step',
    async () => await cluster.status(),
    ({ state }) => state === 'in-step',
  )
}, 90_000)
