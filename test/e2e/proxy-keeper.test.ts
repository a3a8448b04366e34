import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect } from 'vitest'
import { flagKey } from '../../standin/erddap/flag-key.ts'
import { fixedPort } from '../helpers/fixed-port.ts'
import { Fleet } from '../helpers/fleet.ts'
import { openHaproxy, type TestHaproxy } from '../helpers/haproxy.ts'
import { needs } from '../helpers/needs.ts'
import { ask } from '../helpers/proxy-client.ts'
import type { Running } from '../helpers/program.ts'

/** An agent that looks after a real proxy: what people and ERDDAPs see of it, and what happens without its hub. */

const test = await needs({ root: true, tools: ['haproxy'] })
const fleet = new Fleet()
const PUBLIC = 'https://data.example.org/erddap'
const QUOTE = 'A FAVOURITE QUOTE'
const IDS = ['buoys', 'gliders', 'sst', 'wind'] as const
let haproxy: TestHaproxy
let front: Running

beforeAll(async () => {
  await fleet.startHub()
  for (const node of ['erd1', 'erd2', 'erd3']) {
    await fleet.addMachine(node, ['--poll-ms', '200', '--load-ms', '20', '--assume-files', '--flag-key-key', QUOTE])
  }
  haproxy = await openHaproxy()
  const secrets = join(fleet.folder, 'secrets')
  mkdirSync(secrets)
  const scope = ['--scope', 'write:request/datasets', '--ttl', '0']
  await fleet.must('token', 'create', '--label', 'flags', ...scope, '--out', join(secrets, 'token'))
  writeFileSync(join(secrets, 'quote'), `${QUOTE}\n`, { mode: 0o600 })
  const flags = {
    listen: `127.0.0.1:${await fixedPort()}`,
    urls: [PUBLIC],
    keyFile: join(secrets, 'quote'),
    tokenFile: join(secrets, 'token'),
  }
  front = await fleet.addAgent('front', { proxies: { haproxy: { kind: 'haproxy', ...haproxy.config, flags } } })
  mkdirSync(join(fleet.folder, 'datasets.d'))
  for (const id of IDS) writeFileSync(join(fleet.folder, 'datasets.d', `${id}.xml`), fragment(id))
  await fleet.must('datasets', 'release', 'datasets.d', '-m', 'first')
  await everybodyServes()
}, 120_000)

afterAll(async () => {
  await fleet.stop()
  await haproxy.close()
}, 60_000)

function fragment(id: string): string {
  return `<dataset type="EDDTableFromAsciiFiles" datasetID="${id}" active="true">
    <reloadEveryNMinutes>10080</reloadEveryNMinutes>
    <fileDir>/data/${id}/</fileDir>
    <fileNameRegex>.*\\.csv</fileNameRegex>
    <addAttributes>
        <att name="title">${id}</att>
        <att name="summary">About ${id}.</att>
        <att name="institution">An institute</att>
        <att name="cdm_data_type">Other</att>
        <att name="infoUrl">https://example.org/</att>
        <att name="sourceUrl">(local files)</att>
    </addAttributes>
    <dataVariable>
        <sourceName>time</sourceName>
        <destinationName>time</destinationName>
        <dataType>double</dataType>
        <addAttributes><att name="units">seconds since 1970-01-01T00:00:00Z</att></addAttributes>
    </dataVariable>
</dataset>
`
}

const pageOf = (id: string): string => `/erddap/info/${id}/index.csv`

/** Which node answers for it; undefined when it is not a whole answer. */
async function servedBy(id: string): Promise<string | undefined> {
  const answer = await ask(haproxy.port, pageOf(id)).catch(() => undefined)
  return answer?.status === 200 ? answer.headers['x-served-by'] : undefined
}

async function everybodyServes(): Promise<void> {
  for (const { port } of fleet.machines) {
    for (const id of IDS) await until(async () => (await ask(port, pageOf(id))).status === 200)
  }
  await until(async () => (await explained('sst')).nodes.every(({ is }) => is === 'good'))
  for (const id of IDS) await until(async () => /^erd\d$/.test((await servedBy(id)) ?? ''))
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const giveUpMs = performance.now() + 60_000
  while (!(await holds())) {
    if (performance.now() > giveUpMs) throw new Error(`it never came:\n${front.said()}`)
    await delay(50)
  }
}

interface Explained {
  readonly key: string
  readonly from: string
  readonly isPlaced: boolean
  readonly nodes: readonly { readonly node: string; readonly is: string; readonly why: string }[]
}

const STATE = ['--state', join(fleet.folder, 'front/state')]

async function explained(id: string): Promise<Explained> {
  const { stdout } = await fleet.flotilla('proxy', 'explain', pageOf(id), '--json', ...STATE)
  return JSON.parse(stdout) as Explained
}

test('addresses that ERDDAP cannot be told of are refused by the proxy, for as long as they are blocked', async () => {
  const status = async (): Promise<number> => (await ask(haproxy.port, pageOf('sst'))).status
  await fleet.must('block', 'ip', '120.0.0.0/5')
  await until(async () => (await status()) === 403)
  await fleet.must('unblock', 'ip', '120.0.0.0/5')
  await until(async () => (await status()) === 200)
})

test('requests go where explain says that they go, with the reason', async () => {
  for (const id of IDS) {
    const { key, isPlaced, nodes, from } = await explained(id)
    expect([key, isPlaced, from, nodes.length]).toEqual([id, true, 'hub', 3])
    await until(async () => (await servedBy(id)) === nodes[0]?.node)
  }
  const words = await fleet.must('proxy', 'explain', 'https://x/erddap/fr/griddap/sst.html?a', ...STATE)
  expect(words).toMatch(/^sst {2}by erddap:\/erddap$/m)
  expect(words).toMatch(/^1 +erd\d +127\.0\.0\.1:\d+ +✓ good +owner, up$/m)
  expect(await fleet.must('proxy', 'explain', '/erddap/setDatasetFlag.txt?datasetID=sst', ...STATE)).toMatch(
    /asks every node/,
  )
  expect(await fleet.must('proxy', 'explain', '/erddap/search/index.html', ...STATE)).toMatch(/^no item$/m)
  // From anywhere else with the hub alone.
  const elsewhere = await fleet.flotilla('proxy', 'explain', '/tiles/sst/1', '--rule', 'path:/tiles')
  expect(elsewhere.stdout).toMatch(/^sst {2}by path:\/tiles$/m)
  // These nodes have nothing at /, which is what is asked for where nothing is said of ERDDAP.
  expect(elsewhere.code).toBe(3)
})

test('a drain by hand is obeyed before the command ends, and undone', async () => {
  const owner = (await servedBy('sst')) ?? ''
  await fleet.must('drain', owner, '--datasets', 'sst', '-m', 'a look at it', '--wait')
  for (let turn = 0; turn < 10; turn++) expect(await servedBy('sst')).not.toBe(owner)
  const { nodes } = await explained('sst')
  expect(nodes.find(({ node }) => node === owner)).toMatchObject({ is: 'last-resort' })
  expect(nodes.find(({ node }) => node === owner)?.why).toMatch(/drained for this by .*: a look at it/)
  await fleet.must('undrain', owner)
  await until(async () => (await servedBy('sst')) === owner)
})

test('the configuration can be seen, and judged by the proxy itself; only one looks after it', async () => {
  const text = await fleet.must('proxy', 'render', ...STATE)
  expect(text).toContain(readFileSync(join(haproxy.config.folder, 'haproxy.cfg'), 'utf8'))
  const to = join(fleet.folder, 'rendered')
  await fleet.must('proxy', 'render', '--to', to, ...STATE)
  expect(readFileSync(join(to, 'haproxy.cfg'), 'utf8')).toContain('frontend')
  expect(await fleet.must('proxy', 'check', ...STATE)).toMatch(/^haproxy takes it: 3 nodes, 4 items placed$/m)
  const applied = await fleet.flotilla('proxy', 'apply', ...STATE)
  expect(applied.code).toBe(5)
  expect(applied.stderr).toMatch(/keeps the proxy in step by itself/)
  const mend = await haproxy.sabotage()
  const refused = await fleet.flotilla('proxy', 'check', ...STATE)
  expect([refused.code, refused.stderr]).toEqual([4, expect.stringMatching(/told to refuse everything/)])
  await mend()
})

test('the doctor finds nothing wrong with it', async () => {
  const { stdout } = await fleet.flotilla('doctor', '--json', ...STATE)
  const { checks } = JSON.parse(stdout) as {
    checks: { group: string; name: string; verdict: string; message: string }[]
  }
  const about = checks.filter(({ group, name }) => group.includes('proxy') || name === 'proxies')
  expect(about.map(({ name, verdict }) => [name, verdict])).toEqual([
    ['proxies', 'ok'],
    ['folder', 'ok'],
    ['nodes', 'warn'],
    ['haproxy', 'ok'],
    ['flagKeyKey', 'ok'],
    ['token for flags', 'ok'],
  ])
  expect(about[2]?.message).toMatch(/^erd1, erd2, erd3: at a loopback address, which is right only on this machine$/)
})

test('a flag that somebody sets at the public address reaches every node', async () => {
  const wrong = ask(haproxy.port, '/erddap/setDatasetFlag.txt?datasetID=wind&flagKey=1', { timeoutMs: 30_000 })
  const key = flagKey(PUBLIC, 'wind', QUOTE)
  const before = await Promise.all(fleet.machines.map(async ({ port }) => await loadsOf(port, 'wind')))
  const answer = await ask(haproxy.port, `/erddap/setDatasetFlag.txt?datasetID=wind&flagKey=${key}`)
  expect([answer.status, answer.text]).toEqual([200, 'SUCCESS: The flag has been set.'])
  for (const [index, { port }] of fleet.machines.entries()) {
    await until(async () => (await loadsOf(port, 'wind')) > (before[index] ?? 0))
  }
  expect((await wrong).text).toBe('ERROR: Invalid flagKey.')
})

/** How often that ERDDAP has loaded the dataset. */
async function loadsOf(port: number, id: string): Promise<number> {
  const { text } = await ask(port, '/stand-in/stats.json')
  const { loads } = JSON.parse(text) as { loads: { readonly tried: readonly string[] }[] }
  return loads.filter(({ tried }) => tried.includes(id)).length
}

test('while the hub is gone, a node that dies is left out within seconds, also after the agent was killed', async () => {
  await fleet.killHub()
  const victim = fleet.machines[1]
  const theirs = await Promise.all(IDS.map(async (id) => await servedBy(id)))
  expect(theirs.every((node) => node !== undefined)).toBe(true)
  await victim?.kill()
  // HAProxy goes to the next owner by itself; the keeper knows of it by its own checks.
  for (const id of IDS) expect(await servedBy(id)).not.toBe(victim?.name)
  await until(async () => /a node does not answer/.test(front.said()))
  const { nodes, from } = await explained('sst')
  expect(from).toBe('state')
  expect(nodes.find(({ node }) => node === victim?.name)).toMatchObject({ is: 'down' })

  await front.stop('SIGKILL')
  front = fleet.launch(['agent', '--config', join(fleet.folder, 'front/state/agent.yaml')])
  await until(async () => /a node does not answer/.test(front.said()))
  for (const id of IDS) expect(await servedBy(id)).not.toBe(victim?.name)
})
