import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { FilesCluster, type FilesNode } from '../helpers/files-cluster.ts'

/** A hub, three roots of one tree and a node that the cluster may feed: agents that found each other by joining. */

const cluster = new FilesCluster()
const nodes: FilesNode[] = []
let leaf: FilesNode

beforeAll(async () => {
  await cluster.startHub()
  for (const name of ['one', 'two', 'three']) {
    nodes.push(await addNode(name, { elected: true, children: 'cluster', ack: 'quorum' }))
  }
  leaf = await addNode('leaf', { fed: 'cluster' })
}, 60_000)

afterAll(async () => await cluster.stop(), 60_000)

/** As `join` leaves it, with what somebody adds to its configuration. */
async function addNode(name: string, tree: object): Promise<FilesNode> {
  const node = await cluster.addNode(name, 'serve')
  await node.agent.stop()
  const keys = join(cluster.folder, name, 'keys')
  mkdirSync(join(cluster.folder, name), { recursive: true })
  writeFileSync(keys, 'writer write\n', { mode: 0o600 })
  const file = join(node.state, 'agent.yaml')
  const config = parse(readFileSync(file, 'utf8')) as { files: { trees: Record<string, object> } }
  Object.assign(config.files.trees['data'] ?? {}, tree)
  writeFileSync(file, stringify({ ...config, files: { ...config.files, apiKeyFile: keys } }))
  return Object.assign(node, { agent: cluster.startAgent(node.state) })
}

async function send(node: FilesNode, path: string, init: RequestInit): Promise<Response> {
  const headers = { authorization: 'Bearer writer' }
  const first = await fetch(`${node.url}/data/${path}`, { ...init, headers, redirect: 'manual' })
  const location = first.headers.get('location')
  return location === null ? first : await fetch(location, { ...init, headers, redirect: 'manual' })
}

/** As a client does: until it is taken. Answers the address that took it. */
async function put(node: FilesNode, path: string, body: string): Promise<string> {
  const taken = await cluster.until(
    `${path} is taken`,
    async () => await send(node, path, { method: 'PUT', body }).catch(() => undefined),
    (answer) => answer?.status === 201,
  )
  return new URL(taken?.url ?? '').origin
}

function content(node: FilesNode, path: string): string | undefined {
  const file = join(node.data, path)
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined
}

async function everywhere(path: string, wanted: string | undefined): Promise<void> {
  const ask = (): readonly (string | undefined)[] => [...nodes, leaf].map((node) => content(node, path))
  await cluster.until(`all have ${path}`, ask, (found) => found.every((one) => one === wanted))
}

test('what is written to any of the roots is sent to the one that leads, and is on every node', async () => {
  const takers = new Set<string>()
  for (const [index, node] of nodes.entries()) takers.add(await put(node, `from/${index}`, `content ${index}`))
  expect(takers.size).toBe(1)
  for (const index of nodes.keys()) await everywhere(`from/${index}`, `content ${index}`)
}, 90_000)

test('the status names a child that is away, and is in step when it is back', async () => {
  await cluster.until(
    'in step',
    async () => await cluster.status('data'),
    ({ state }) => state === 'in-step',
  )
  await leaf.agent.stop('SIGKILL')
  const away = await cluster.until(
    'it is missed',
    async () => await cluster.status('data'),
    ({ summary }) => summary.includes(new URL(leaf.url).host),
  )
  expect(away.state).toBe('failed')
  await put(nodes[1]!, 'while/away', 'content')
  leaf.agent = cluster.startAgent(leaf.state)
  await everywhere('while/away', 'content')
  await cluster.until(
    'in step',
    async () => await cluster.status('data'),
    ({ state }) => state === 'in-step',
  )
  const doctor = await cluster.flotilla('doctor', '--state', nodes[0]!.state)
  expect(doctor.stdout).toContain('children of data')
}, 120_000)

test('a node that is fed refuses writers', async () => {
  const refused = await send(leaf, 'x', { method: 'PUT', body: 'x' })
  expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining('is fed by')])
}, 90_000)

test('the leader is killed: another leads, nothing is lost, and the former one gets what it missed', async () => {
  const leader = await put(nodes[0]!, 'before', 'the kill')
  const killed = nodes.find(({ url }) => url === leader)!
  const others = nodes.filter((node) => node !== killed)
  await killed.agent.stop('SIGKILL')
  const next = await put(others[0]!, 'after', 'the kill')
  expect(next).not.toBe(leader)
  expect(content(others[0]!, 'before') ?? content(others[1]!, 'before')).toBe('the kill')
  await cluster.until(
    'it is deleted',
    async () => await send(others[0]!, 'from/0', { method: 'DELETE' }).catch(() => undefined),
    (answer) => answer?.ok === true,
  )
  killed.agent = cluster.startAgent(killed.state)
  await everywhere('before', 'the kill')
  await everywhere('after', 'the kill')
  await everywhere('from/0', undefined)
}, 120_000)
