import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { NodeAnswer } from '../../src/core/api.ts'
import { fixedPort } from '../helpers/fixed-port.ts'
import { run, type Ran, type Running, STANDIN, start } from '../helpers/program.ts'

/** The whole story with real processes: hub, agents and ERDDAP stand-ins, by the commands that people type. */

const ROOT = join(import.meta.dirname, '../..')
const DATA = join(ROOT, 'examples/collection/data')
const EMPTY = '<?xml version="1.0" encoding="UTF-8" ?>\n<erddapDatasets>\n</erddapDatasets>\n'

const folder = mkdtempSync(join(tmpdir(), 'flotilla-e2e-'))
const running: Running[] = []
let env: Record<string, string> = {}

const flotilla = (...argv: readonly string[]): Promise<Ran> => run(argv, { cwd: folder, env })
const datasetsXml = (node: string): string => readFileSync(join(folder, node, 'content/datasets.xml'), 'utf8')

function launch(argv: readonly string[], script?: string): Running {
  const program = start(argv, { cwd: folder, env }, script)
  running.push(program)
  return program
}

function nodeFolders(name: string): { content: string; bpd: string; state: string } {
  const at = join(folder, name)
  for (const each of ['content', 'bpd']) mkdirSync(join(at, each), { recursive: true })
  return { content: join(at, 'content'), bpd: join(at, 'bpd'), state: join(at, 'state') }
}

async function joinCode(): Promise<string> {
  return (await flotilla('token', 'join-code')).stdout.trim()
}

/** Starts an ERDDAP beside an agent that joins; answers the agent. */
async function addNode(name: string): Promise<Running> {
  const { content, bpd, state } = nodeFolders(name)
  writeFileSync(join(content, 'datasets.xml'), EMPTY)
  const erddap = launch(['--content-dir', content, '--big-parent-dir', bpd, '--poll-ms', '300'], STANDIN)
  const [url] = await erddap.line(/^http:\S+$/)
  const dirs = ['--content-dir', content, '--big-parent-dir', bpd, '--erddap-url', url, '--state', state]
  const agent = launch([
    'join',
    env['FLOTILLA_URL'] ?? '',
    await joinCode(),
    '--node',
    name,
    ...dirs,
    '--value',
    `data=${DATA}`,
  ])
  await agent.line(/^joined /)
  return agent
}

let hub: Running
let agent: Running

beforeAll(async () => {
  hub = launch(['up', '--data', join(folder, 'hub'), '--listen', '127.0.0.1:0'])
  const [, url = ''] = await hub.line(/^hub +(http:\S+)$/)
  env = { FLOTILLA_URL: url, FLOTILLA_TOKEN_FILE: join(folder, 'hub/admin.token') }
  agent = await addNode('erd1')
  cpSync(join(ROOT, 'examples/collection/datasets.d'), join(folder, 'datasets.d'), { recursive: true })
}, 60_000)

afterAll(async () => {
  for (const program of running.toReversed()) await program.stop()
  rmSync(folder, { recursive: true, force: true })
}, 60_000)

test('`up` says how to join, and keeps the token to its owner', async () => {
  await hub.line(/^join +flotilla join http:\S+ [0-9A-Z-]{14} --node NAME --content-dir DIR$/)
  expect(statSync(join(folder, 'hub')).mode & 0o777).toBe(0o700)
  expect(statSync(join(folder, 'hub/admin.token')).mode & 0o777).toBe(0o600)
  expect(hub.said()).not.toContain(readFileSync(join(folder, 'hub/admin.token'), 'utf8').trim())
})

test('a release is in step when the node proves it, and the copy of what was there is kept', async () => {
  const { code, stdout } = await flotilla(
    'datasets',
    'release',
    'datasets.d',
    '-m',
    'first',
    '--wait',
    '--timeout',
    '60s',
  )
  expect(stdout).toContain('IN STEP r1, 1/1 nodes prove it')
  expect(code).toBe(0)
  expect(datasetsXml('erd1')).toContain('datasetID="coastBuoys"')
  const status = await flotilla('status', '--json')
  expect(status.code).toBe(0)
  expect(JSON.parse(status.stdout)).toMatchObject({
    kind: 'status',
    state: 'in-step',
    desired: { number: 1, author: 'admin', message: 'first' },
    nodes: [{ node: 'erd1', liveness: 'alive', targets: { datasets: { served: 1 } } }],
  })
}, 90_000)

test('a broken fragment is refused with its place, and no byte changes', async () => {
  const path = join(folder, 'datasets.d/buoys/coastBuoys.xml')
  const [good, before] = [readFileSync(path, 'utf8'), datasetsXml('erd1')]
  writeFileSync(path, good.replace('</addAttributes>', '</addAtributes>'))
  const { code, stderr } = await flotilla('datasets', 'release', 'datasets.d', '-m', 'oops')
  expect(code).toBe(4)
  expect(stderr).toMatch(/^buoys\/coastBuoys\.xml:\d+:\d+: error: /m)
  expect(datasetsXml('erd1')).toBe(before)
  writeFileSync(path, good)
})

test('a change goes out, and rollback takes it back, both proved', async () => {
  const path = join(folder, 'datasets.d/buoys/coastBuoys.xml')
  const [good, before] = [readFileSync(path, 'utf8'), datasetsXml('erd1')]
  writeFileSync(path, good.replace('>Coastal Buoys<', '>Coastal Buoys, quality controlled<'))
  const change = await flotilla('datasets', 'release', 'datasets.d', '-m', 'title', '--wait', '--timeout', '60s')
  expect(change.stdout).toMatch(/~ coastBuoys .*soft reload.*title/)
  expect(change.code).toBe(0)
  expect(datasetsXml('erd1')).toContain('quality controlled')
  const back = await flotilla('rollback', '--wait', '--timeout', '60s')
  expect(back.stdout).toContain('IN STEP r3')
  expect(back.code).toBe(0)
  expect(datasetsXml('erd1')).toBe(before)
  writeFileSync(path, good)
}, 90_000)

test('a new container: join without starting, then `agent --once`, before any ERDDAP runs', async () => {
  const { content, bpd, state } = nodeFolders('erd2')
  const dirs = ['--content-dir', content, '--big-parent-dir', bpd, '--state', state]
  const joined = await flotilla(
    'join',
    env['FLOTILLA_URL'] ?? '',
    await joinCode(),
    '--node',
    'erd2',
    ...dirs,
    '--value',
    `data=${DATA}`,
    '--no-start',
  )
  expect(joined).toMatchObject({ code: 0, stdout: expect.stringContaining('flotilla agent --state') })
  expect(statSync(join(state, 'credential')).mode & 0o777).toBe(0o600)
  const once = await flotilla('agent', '--state', state, '--once', '--json')
  expect(once.code).toBe(0)
  expect(JSON.parse(once.stdout)).toMatchObject({
    kind: 'agent-once',
    outcome: 'ok',
    reports: { datasets: { applied: 3 } },
  })
  expect(existsSync(join(content, 'datasets.xml'))).toBe(true)
  expect((await flotilla('nodes', 'forget', 'erd2')).code).toBe(0)
}, 60_000)

test('a join code works once, and a name only once', async () => {
  const { content, bpd } = nodeFolders('erd3')
  const dirs = ['--content-dir', content, '--big-parent-dir', bpd, '--no-start']
  const url = env['FLOTILLA_URL'] ?? ''
  const code = await joinCode()
  expect((await flotilla('join', url, code, '--node', 'erd3', ...dirs)).code).toBe(0)
  expect(await flotilla('join', url, code, '--node', 'erd4', ...dirs)).toMatchObject({ code: 6 })
  const taken = await flotilla('join', url, await joinCode(), '--node', 'erd1', ...dirs)
  expect(taken).toMatchObject({ code: 4, stderr: expect.stringContaining('--replace') })
  expect((await flotilla('nodes', 'forget', 'erd3')).code).toBe(0)
}, 60_000)

test('a second agent of the same name gives up, and the first goes on', async () => {
  const second = join(folder, 'copy')
  cpSync(join(folder, 'erd1/state'), second, { recursive: true })
  rmSync(join(second, 'memory'), { recursive: true })
  // It waits somewhat longer than its own lease whether the other one is still alive.
  appendFileSync(join(second, 'agent.yaml'), 'lease: 3s\n')
  const copy = await flotilla('agent', '--state', second)
  expect(copy).toMatchObject({ code: 5, stderr: expect.stringContaining('another agent is running as node erd1') })
  expect((await flotilla('status')).code).toBe(0)
}, 60_000)

test('no process shows a secret in its arguments', async () => {
  const token = readFileSync(join(folder, 'hub/admin.token'), 'utf8').trim()
  const credential = readFileSync(join(folder, 'erd1/state/credential'), 'utf8').trim()
  for (const program of running) {
    const { child } = program
    const text = existsSync(`/proc/${child.pid}/cmdline`) ? readFileSync(`/proc/${child.pid}/cmdline`, 'utf8') : ''
    for (const secret of [token, credential]) expect(text + program.said()).not.toContain(secret)
  }
})

test('a node that is told to listen offers its blobs to the others, and to nobody else', async () => {
  const { content, bpd, state } = nodeFolders('erd6')
  const dirs = ['--content-dir', content, '--big-parent-dir', bpd, '--state', state, '--value', `data=${DATA}`]
  const url = env['FLOTILLA_URL'] ?? ''
  expect((await flotilla('join', url, await joinCode(), '--node', 'erd6', ...dirs, '--no-start')).code).toBe(0)
  const port = await fixedPort()
  appendFileSync(join(state, 'agent.yaml'), `peerListen: 127.0.0.1:${port}\n`)
  const peer = launch(['agent', '--state', state])
  await peer.line(/other nodes can fetch blobs here/)
  await peer.line(/wrote datasets\.xml/)
  const { nodes } = JSON.parse((await flotilla('nodes', '--json')).stdout) as { nodes: readonly NodeAnswer[] }
  expect(nodes.find(({ node }) => node === 'erd6')?.alive?.peerUrl).toBe(`http://127.0.0.1:${port}`)
  expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200)
  expect((await fetch(`http://127.0.0.1:${port}/v1/blobs/${'0'.repeat(64)}`)).status).toBe(401)
  expect(await peer.stop()).toBe(0)
  expect((await flotilla('nodes', 'forget', 'erd6')).code).toBe(0)
}, 60_000)

test('a second hub on the same folder, and one on the same port, are told why not', async () => {
  expect(await flotilla('up', '--data', join(folder, 'hub'), '--listen', '127.0.0.1:0')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('STORE_IN_USE'),
  })
  const port = new URL(env['FLOTILLA_URL'] ?? '').port
  expect(await flotilla('up', '--data', join(folder, 'hub2'), '--listen', `127.0.0.1:${port}`)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('PORT_TAKEN'),
  })
})

test('a reader that goes away is no error', async () => {
  const { spawnSync } = await import('node:child_process')
  const program = `${process.execPath} ${join(ROOT, 'src/bin.ts')}`
  const { stderr } = spawnSync('sh', ['-c', `${program} history --json | true; ${program} --help | head -1`], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
  expect(stderr).toBe('')
})

test('SIGTERM ends agent and hub cleanly, with exit code 0; the agent says goodbye first', async () => {
  expect(await agent.stop('SIGTERM')).toBe(0)
  const status = await flotilla('status')
  expect(status.stdout).toContain('erd1 is lost')
  expect(await hub.stop('SIGINT')).toBe(0)
  expect(await flotilla('status')).toMatchObject({ code: 7 })
}, 60_000)
