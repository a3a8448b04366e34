import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RolloutAnswer, RolloutView } from '../../src/core/api-rollout.ts'
import { remote } from '../../standin/erddap/test-kit.ts'
import { ProcessCluster } from '../helpers/process-cluster.ts'

/** Changes that go out in waves, with real processes and by the commands that people type. */

const cluster = new ProcessCluster()
const NAMES = ['erd1', 'erd2', 'erd3']
const BUOYS = 'buoys/coastBuoys.xml'
const isSoak = process.env['FLOTILLA_SOAK'] === '1'

const rollout = (): Promise<RolloutAnswer> => cluster.ask('/v1/trees/datasets/rollout')
const titles = (): Promise<readonly (string | undefined)[]> =>
  Promise.all(NAMES.map((name) => cluster.title(name, 'coastBuoys')))

beforeAll(async () => {
  await cluster.startHub()
  for (const name of NAMES) await cluster.addNode(name)
  const first = await cluster.flotilla('datasets', 'release', 'datasets.d', '-m', 'first', '--wait')
  expect(first).toMatchObject({ code: 0, stdout: expect.stringContaining('IN STEP r1, 3/3') })
}, 120_000)

afterAll(() => cluster.stop(), 60_000)

test('the plan says who goes first, how long it took the last time and that nothing is drained', async () => {
  cluster.edit(BUOYS, '>Coastal Buoys<', '>Coastal Buoys, checked<')
  const { code, stdout } = await cluster.flotilla('datasets', 'plan', 'datasets.d', '--rolling', '--soak', '1s')
  expect(stdout).toContain('coastBuoys  changed: soft reload')
  expect(stdout).toContain('erd1 first, then erd2, then erd3, after 1 s each')
  expect(stdout).toContain('no proxy is known')
  expect(code).toBe(0)
}, 60_000)

test('a change goes to one node after the other, and is done when every one of them serves it', async () => {
  const args = ['-m', 'checked', '--rolling', '--soak', '0s', '--wait']
  const { code, stdout, stderr } = await cluster.flotilla('datasets', 'release', 'datasets.d', ...args)
  expect(stdout).toContain('ROLLED OUT r2')
  expect(code).toBe(0)
  const proofs = NAMES.map((name) => stderr.indexOf(`${name} proves it`))
  expect(proofs).toEqual(proofs.toSorted((a, b) => a - b))
  expect(proofs[0]).toBeGreaterThan(0)
  expect(await titles()).toEqual(NAMES.map(() => 'Coastal Buoys, checked'))
  expect(await cluster.flotilla('status')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('IN STEP r2, 3/3'),
  })
}, 90_000)

test('one that a node cannot load stops there and is taken back; the others never heard of it', async () => {
  const others = ['erd2', 'erd3']
  const before = await Promise.all(others.map(async (name) => [cluster.datasetsXml(name), await cluster.events(name)]))
  cluster.edit(BUOYS, '<fileNameRegex>', '<fileNameRegex>nothing')
  cluster.add('buoys/newcomer.xml', remote('newcomer', 'New'))
  const args = ['-m', 'a typo', '--rolling', '--wait']
  const { code, stdout } = await cluster.flotilla('datasets', 'release', 'datasets.d', ...args)
  expect(code).toBe(4)
  // Node, dataset, fragment and line, and what ERDDAP itself said.
  expect(stdout).toMatch(/^TAKEN BACK r3: node erd1, coastBuoys, buoys\/coastBuoys\.xml:\d+: .*0 files found/m)
  const after = await Promise.all(others.map(async (name) => [cluster.datasetsXml(name), await cluster.events(name)]))
  expect(after).toEqual(before)
  expect(await titles()).toEqual(NAMES.map(() => 'Coastal Buoys, checked'))
  const events = (await cluster.events('erd1')).map(({ event, id }) => `${event} ${id}`)
  // What the release had added is unloaded again: no node is left with something that nothing asks for.
  expect(events).toEqual(expect.arrayContaining(['unloaded coastBuoys', 'loaded newcomer']))
  expect(events.slice(-2).toSorted()).toEqual(['loaded coastBuoys', 'unloaded newcomer'])
  cluster.remove('buoys/newcomer.xml')
  expect((await cluster.flotilla('status')).stdout).toMatch(/IN STEP r2, 3\/3[^]*note: TAKEN BACK r3: node erd1/)
  expect((await cluster.flotilla('history')).stdout).toMatch(/^r3 .*a typo \(taken back: node erd1, .*0 files found/m)
  expect((await cluster.flotilla('why', 'coastBuoys')).stdout).toMatch(/^r3 .*taken back: node erd1/m)
}, 120_000)

test('one whose sample does not come back as it should is taken back', async () => {
  cluster.edit(BUOYS, '<fileNameRegex>nothing', '<fileNameRegex>')
  cluster.edit(BUOYS, '>Coastal Buoys, checked<', '>Coastal Buoys, again<')
  const sample = ['--sample', '/info/coastBuoys/index.csv 200 Inland']
  const args = ['-m', 'again', ...sample, '--gate-timeout', '15s', '--wait']
  const { code, stdout } = await cluster.flotilla('datasets', 'release', 'datasets.d', ...args)
  expect(stdout).toMatch(/^TAKEN BACK r4: node erd1.*\/info\/coastBuoys\/index\.csv/m)
  expect(code).toBe(4)
  expect(await titles()).toEqual(NAMES.map(() => 'Coastal Buoys, checked'))
}, 120_000)

test('a hard reload in waves takes the dataset away from one node at a time', async () => {
  const before = await Promise.all(NAMES.map(async (name) => (await cluster.events(name)).length))
  const away: number[] = []
  const stop = new AbortController()
  const watching = (async () => {
    while (!stop.signal.aborted) {
      away.push((await titles()).filter((title) => title === undefined).length)
      await delay(20)
    }
  })()
  const args = ['coastBuoys', '--hard', '--rolling', '--soak', '0s', '--wait']
  const { code, stdout } = await cluster.flotilla('datasets', 'reload', ...args)
  stop.abort()
  await watching
  expect(stdout).toContain('ROLLED OUT hard reload of coastBuoys')
  expect(code).toBe(0)
  expect(Math.max(...away)).toBeLessThan(2)
  for (const [index, name] of NAMES.entries()) {
    const events = (await cluster.events(name)).slice(before[index]).map(({ event, id }) => `${event} ${id}`)
    expect(events).toEqual(['unloaded coastBuoys', 'loaded coastBuoys'])
  }
}, 120_000)

test('while one is under way another is refused; it can be paused, and aborted', async () => {
  const args = ['-m', 'slow', '--rolling', '--soak', '1h']
  const slow = await cluster.flotilla('datasets', 'release', 'datasets.d', ...args)
  expect(slow).toMatchObject({ code: 0, stdout: expect.stringContaining('undo: flotilla rollout abort') })
  const refused = await cluster.flotilla('rollback')
  expect(refused).toMatchObject({ code: 5, stderr: expect.stringMatching(/r5[^]*admin[^]*flotilla rollout abort/) })
  expect(await cluster.flotilla('rollout', 'pause')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('PAUSED r5'),
  })
  expect(await cluster.flotilla('rollout')).toMatchObject({ code: 3 })
  const aborted = await cluster.flotilla('rollout', 'abort', '--wait')
  expect(aborted).toMatchObject({ code: 0, stdout: expect.stringContaining('ABORTED r5 by admin') })
  expect(await cluster.flotilla('rollout')).toMatchObject({ code: 1 })
  expect(await titles()).toEqual(NAMES.map(() => 'Coastal Buoys, checked'))
}, 120_000)

/** Kills the hub at the moment when the next rollout is there, and starts it again. */
async function killAt(moment: (rollout: RolloutView) => boolean): Promise<void> {
  const before = (await rollout()).rollout?.startedAtMs
  for (;;) {
    const { rollout: now } = await rollout()
    if (now !== undefined && now.startedAtMs !== before && moment(now)) break
    await delay(5)
  }
  await cluster.killHub()
  await cluster.startHub()
}

/** Every step of a change that comes to its end. */
const ON_THE_WAY: readonly (readonly [string, (rollout: RolloutView) => boolean])[] = [
  ['a node takes it up', ({ nodes }) => nodes['erd1']?.phase === 'applying'],
  ['clients are to see it', ({ exposed }) => exposed],
  ['nobody was touched yet', () => true],
  ['a node proves it', ({ nodes }) => nodes['erd1']?.phase === 'proved'],
  ['the second takes it up', ({ nodes }) => nodes['erd2']?.phase === 'applying'],
  ['the last takes it up', ({ nodes }) => nodes['erd3']?.phase === 'applying'],
  ['it is done', ({ state }) => state === 'done'],
]

test.for(ON_THE_WAY.slice(0, isSoak ? undefined : 2))(
  'the hub killed with -9 when %s goes on where it was, and nobody is left behind',
  { timeout: 150_000 },
  async ([name, moment]) => {
    const title = `Coastal Buoys when ${name}`
    cluster.edit(BUOYS, /(<att name="title">)[^<]*/, `$1${title}`)
    const args = ['-m', title, '--rolling', '--soak', '0s', '--wait', '--timeout', '90s']
    const [{ code, stdout }] = await Promise.all([
      cluster.flotilla('datasets', 'release', 'datasets.d', ...args),
      killAt(moment),
    ])
    expect(stdout).toMatch(/ROLLED OUT r\d+/)
    expect(code).toBe(0)
    expect(await titles()).toEqual(NAMES.map(() => title))
    expect((await cluster.flotilla('status')).code).toBe(0)
  },
)

/** Every step of one that is taken back. */
const ON_THE_WAY_BACK: typeof ON_THE_WAY = [
  ['it is taken back', ({ state }) => state === 'reverting'],
  ['a node is drained for it', ({ nodes }) => nodes['erd1']?.phase !== 'waiting'],
  ['a node takes it up', ({ nodes }) => nodes['erd1']?.phase === 'applying'],
  ['it is over', ({ state }) => state === 'rolled-back'],
]

test.for(ON_THE_WAY_BACK.slice(0, isSoak ? undefined : 1))(
  'the hub killed with -9 when %s leaves nobody with a change that fails',
  { timeout: 150_000 },
  async ([, moment]) => {
    const before = await titles()
    cluster.edit(BUOYS, '<fileNameRegex>', '<fileNameRegex>nothing')
    const args = ['-m', 'bad', '--rolling', '--wait', '--timeout', '90s']
    const [{ code, stdout }] = await Promise.all([
      cluster.flotilla('datasets', 'release', 'datasets.d', ...args),
      killAt(moment),
    ])
    cluster.edit(BUOYS, '<fileNameRegex>nothing', '<fileNameRegex>')
    expect(stdout).toMatch(/TAKEN BACK r\d+: node erd1, coastBuoys, buoys\/coastBuoys\.xml:\d+/)
    expect(code).toBe(4)
    expect(await titles()).toEqual(before)
    expect((await cluster.flotilla('status')).code).toBe(0)
  },
)
