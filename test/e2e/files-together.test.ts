import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FilesCluster, type FilesNode, publish } from '../helpers/files-cluster.ts'

/** Runs of a model that are shown on all nodes at once: when all have them, whoever is slow or gone. */

const cluster = new FilesCluster()
let origin: FilesNode
let first: FilesNode
let second: FilesNode
const TOGETHER = { groups: ['runs/latest/'], flip: 'together', flipWait: '20s' }
const FILES = 12

beforeAll(async () => {
  await cluster.startHub()
  origin = await cluster.addNode('origin', 'serve')
  await publishRun('a')
  first = await cluster.addNode('first', 'pull', TOGETHER)
  second = await cluster.addNode('second', 'pull', TOGETHER)
}, 60_000)

afterAll(async () => await cluster.stop(), 60_000)

async function publishRun(name: string): Promise<void> {
  const from = join(cluster.folder, `run-${name}`)
  for (let index = 0; index < FILES; index++) publish(from, `${index}.om`, `${name} ${index}`)
  const ran = await cluster.flotilla('files', 'publish', from, 'data/runs/latest', '--state', origin.state)
  expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining(`${FILES} files`) as string })
}

/** The run that a node shows: its name, or all names where it shows several at once. */
function shown({ data }: FilesNode): string {
  const place = join(data, 'runs/latest')
  if (!existsSync(place)) return ''
  // What a reader holds on to, whatever is flipped meanwhile.
  const folder = realpathSync(place)
  const names = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8').split(' ')[0] ?? '')
  return [...new Set(names)].toSorted().join('+')
}

const both = (): string => `${shown(first)} ${shown(second)}`

async function reports() {
  const { nodes } = await cluster.status()
  return nodes.flatMap(({ node, files }) => (files?.['data'] === undefined ? [] : [{ node, ...files['data'] }]))
}

test('a run is shown when all have it, and the status is in step then', async () => {
  await cluster.until('both show it', both, (now) => now === 'a a')
  await cluster.until(
    'all are in step',
    reports,
    (all) => all.length === 2 && all.every(({ state }) => state === 'in-step'),
  )
  expect(statSync(join(first.data, 'runs/latest')).isDirectory()).toBe(true)
}, 60_000)

test('the next one is shown on both nodes, never a mixture, and not by one long before the other', async () => {
  const seen = new Set<string>()
  const publishing = publishRun('b')
  await cluster.until(
    'both show it',
    () => {
      const now = both()
      seen.add(now)
      return now
    },
    (now) => now === 'b b',
  )
  await publishing
  expect([...seen].filter((now) => /\+/.test(now))).toEqual([])
}, 60_000)

test('a node that hangs holds the others up only so long; one that was gone shows nothing else once it is back', async () => {
  second.agent.child.kill('SIGSTOP')
  await publishRun('c')
  await cluster.until(
    'the first shows it',
    () => shown(first),
    (now) => now === 'c',
  )
  expect(shown(second)).toBe('b')
  second.agent.child.kill('SIGCONT')
  await second.agent.stop('SIGKILL')
  second.agent = cluster.startAgent(second.state)
  await cluster.until('both show it', both, (now) => now === 'c c')
}, 120_000)
