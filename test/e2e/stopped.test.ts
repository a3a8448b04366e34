import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { StatusAnswer } from '../../src/core/api.ts'
import type { RolloutAnswer } from '../../src/core/api-rollout.ts'
import { ProcessCluster } from '../helpers/process-cluster.ts'
import type { Running } from '../helpers/program.ts'

/** Processes that hang, as by SIGSTOP, while a rollout has drained their node: nothing is believed of them, and nobody else is touched. */

const cluster = new ProcessCluster()
const BUOYS = 'buoys/coastBuoys.xml'
const stopped: Running[] = []

beforeAll(async () => {
  await cluster.startHub()
  for (const name of ['erd1', 'erd2']) await cluster.addNode(name, '    timeoutMs: 1000\nlease: 6s\n')
  const first = await cluster.flotilla('datasets', 'release', 'datasets.d', '-m', 'first', '--wait')
  expect(first).toMatchObject({ code: 0, stdout: expect.stringContaining('IN STEP r1, 2/2') })
}, 120_000)

afterAll(async () => {
  for (const program of stopped) program.child.kill('SIGCONT')
  await cluster.stop()
}, 60_000)

function hang(program: Running): void {
  stopped.push(program)
  program.child.kill('SIGSTOP')
}

function goOn(program: Running): void {
  program.child.kill('SIGCONT')
}

const rollout = async (): Promise<RolloutAnswer> => await cluster.ask('/v1/trees/datasets/rollout')
const phase = async (node: string): Promise<string | undefined> => (await rollout()).rollout?.nodes[node]?.phase
const status = async (): Promise<StatusAnswer> => await cluster.ask('/v1/status?tree=datasets')

async function until(what: string, is: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 40_000
  while (!(await is())) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`)
    await delay(50)
  }
}

async function liveness(node: string): Promise<string | undefined> {
  return (await status()).nodes.find((each) => each.node === node)?.liveness
}

/** Starts a rolling change, drained as if it unloaded something. */
async function change(title: string): Promise<void> {
  cluster.edit(BUOYS, /(<att name="title">)[^<]*/, `$1${title}`)
  const args = ['-m', title, '--rolling', '--drain', 'always', '--soak', '0s', '--gate-timeout', '60s']
  expect(await cluster.flotilla('datasets', 'release', 'datasets.d', ...args)).toMatchObject({ code: 0 })
}

test('an ERDDAP that hangs proves nothing; its node stays drained, and the change waits until it goes on', async () => {
  const { server } = cluster.node('erd1')
  hang(server)
  await change('while ERDDAP hangs')
  await until('the canary says that nothing is proved', async () => {
    const report = (await status()).nodes.find(({ node }) => node === 'erd1')?.targets['datasets']
    return report?.state === 'unproved' && report.applied === 2
  })
  expect(await phase('erd1')).toBe('applying')
  expect(await cluster.title('erd2', 'coastBuoys')).toBe('Coastal Buoys')
  goOn(server)
  await until('every node serves it', async () => (await rollout()).rollout?.state === 'done')
  for (const name of ['erd1', 'erd2']) expect(await cluster.title(name, 'coastBuoys')).toBe('while ERDDAP hangs')
}, 90_000)

test('an agent that hangs for a moment goes on where it was', async () => {
  const { agent } = cluster.node('erd1')
  hang(agent)
  await change('while the agent hangs')
  await until('it is pinned', async () => (await phase('erd1')) === 'applying')
  expect(await cluster.title('erd2', 'coastBuoys')).toBe('while ERDDAP hangs')
  goOn(agent)
  await until('every node serves it', async () => (await rollout()).rollout?.state === 'done')
  for (const name of ['erd1', 'erd2']) expect(await cluster.title(name, 'coastBuoys')).toBe('while the agent hangs')
  expect((await status()).state).toBe('in-step')
}, 90_000)

test('one that hangs until it is lost finds the change taken back when it is back, and ends with what was before', async () => {
  const { agent } = cluster.node('erd1')
  const files = (): readonly string[] => ['erd1', 'erd2'].map((name) => cluster.datasetsXml(name))
  const before = files()
  hang(agent)
  await change('never to be seen')
  await until('it is lost', async () => (await liveness('erd1')) === 'lost')
  await until('the change is taken back', async () => (await rollout()).rollout?.state !== 'running')
  goOn(agent)
  await until('every node is in step with what was before', async () => {
    const { state, desired } = await status()
    return state === 'in-step' && desired?.number === 3 && (await rollout()).rollout?.state === 'rolled-back'
  })
  expect(files()).toEqual(before)
}, 90_000)
