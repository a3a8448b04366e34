import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Servers } from '../helpers/nodes.ts'
import type { Ran, Running } from '../helpers/program.ts'

/** Three servers with one shared folder, no hub and no broker: each is told by itself, and one command line tells all. */

const NAMES = ['erd1', 'erd2', 'erd3'] as const
const folder = mkdtempSync(join(tmpdir(), 'flotilla-alone-'))
const servers = new Servers(folder)
const agents = new Map<string, Running>()
const SLOW = { timeout: 120_000 }

const at = (...parts: readonly string[]): string => join(folder, ...parts)
const each = (...argv: readonly string[]): Promise<Ran> => servers.flotilla('--nodes-file', 'nodes.yaml', ...argv)
const fragment = at('datasets.d/buoys/coastBuoys.xml')

function edit(from: string | RegExp, to: string): void {
  writeFileSync(fragment, readFileSync(fragment, 'utf8').replace(from, to))
}

function startAgent(name: string): Running {
  const agent = servers.launch(['agent', '--config', join(name, 'agent.yaml')])
  agents.set(name, agent)
  return agent
}

/** Where a node answers, as its agent said. */
function urlOf(name: string): string {
  return readFileSync(at(name, 'state/hub/url'), 'utf8').trim()
}

beforeAll(async () => {
  servers.copyFragments('datasets.d')
  for (const name of NAMES) {
    const { content, bpd, state, url } = await servers.addErddap(name)
    const config = {
      node: name,
      state,
      operations: { listen: '127.0.0.1:0' },
      sources: { datasets: { folder: at('datasets.d'), interval: '1h' } },
      interval: '1s',
      values: { data: servers.data },
      targets: { datasets: { kind: 'erddap', contentDirectory: content, bigParentDirectory: bpd, url, startMs: 1000 } },
    }
    writeFileSync(at(name, 'agent.yaml'), JSON.stringify(config))
    await startAgent(name).line(/answers operations itself/)
  }
  const line = (name: string): string =>
    `${name}: { url: '${urlOf(name)}', tokenFile: ${name}/state/operations.token }\n`
  writeFileSync(at('nodes.yaml'), NAMES.map(line).join(''))
  await vi.waitFor(async () => expect((await each('status')).code).toBe(0), { timeout: 60_000, interval: 500 })
}, 120_000)

afterAll(async () => {
  await servers.stop()
  rmSync(folder, { recursive: true, force: true })
}, 60_000)

test('each node took what stands in the folder by itself, and proves it', SLOW, async () => {
  const { stdout } = await each('status')
  for (const name of NAMES) {
    expect(stdout).toContain(`${name}:\n  IN STEP r1, 1/1 nodes prove it`)
    expect(statSync(at(name, 'state/operations.token')).mode & 0o777).toBe(0o600)
    expect(servers.datasetsXml(name)).toContain('datasetID="coastBuoys"')
  }
})

test('a change in the folder is released everywhere at once for who asks, and proved', SLOW, async () => {
  edit('>Coastal Buoys<', '>Coastal Buoys, checked<')
  const { code, stdout } = await each('datasets', 'rescan', '--wait', '--timeout', '80s')
  expect(code).toBe(0)
  for (const name of NAMES) {
    expect(stdout).toMatch(new RegExp(`${name}:\\n  r2 .*soft reload\\n[^]*?IN STEP r2, 1/1 nodes prove it`))
    expect(servers.datasetsXml(name).includes('Coastal Buoys, checked'), name).toBe(true)
  }
})

test('what is broken is refused by each, with its place, and the last good stays', SLOW, async () => {
  const before = NAMES.map((name) => servers.datasetsXml(name))
  edit('</addAttributes>', '</addAtributes>')
  const { code, stderr } = await each('datasets', 'rescan')
  expect(code).toBe(4)
  for (const name of NAMES) {
    expect(stderr).toMatch(new RegExp(`${name}:\\n  buoys/coastBuoys\\.xml:\\d+:\\d+: error`))
  }
  expect(NAMES.map((name) => servers.datasetsXml(name))).toEqual(before)
  edit('</addAtributes>', '</addAttributes>')
  expect((await each('datasets', 'rescan')).stdout).toMatch(/erd1: unchanged: the contents are those of r2/)
})

test.for(['soft', 'bad-files', 'hard'] as const)('reload %s sets the flag on each node', SLOW, async (flag) => {
  const { code, stdout } = await each('datasets', 'reload', 'coastBuoys', '--flag', flag)
  expect(code).toBe(0)
  expect(stdout.match(/was asked to reload 1 dataset/g)).toHaveLength(3)
  const said = new RegExp(`"kind":"${flag}","datasets":1,"first":"coastBuoys".*set flags`)
  for (const name of NAMES) await agents.get(name)?.line(said)
})

test('switched off, listed, switched on again, caches cleared: on each', SLOW, async () => {
  const off = await each('datasets', 'deactivate', 'coastBuoys', '--wait', '--timeout', '80s')
  expect(off.code).toBe(0)
  const list = JSON.parse((await each('datasets', 'list', '--json')).stdout) as {
    nodes: { answer: { items: { id: string; active: boolean }[] } }[]
  }
  const states = list.nodes.map(({ answer }) => answer.items.find(({ id }) => id === 'coastBuoys')?.active)
  expect(states).toEqual([false, false, false])
  expect((await each('datasets', 'activate', 'coastBuoys', '--wait', '--timeout', '80s')).code).toBe(0)
  const cleared = await each('datasets', 'clear-cache', 'coastBuoys')
  expect(cleared.stdout.match(/was asked to clear the cache/g)).toHaveLength(3)
})

test('nothing but curl is needed, and nothing is done without the token', SLOW, async () => {
  const token = readFileSync(at('erd1/state/operations.token'), 'utf8').trim()
  const post = (authorization: string) =>
    fetch(`${urlOf('erd1')}/v1/trees/datasets/requests`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: '{"kind":"reload","flag":"soft","datasets":["coastBuoys"]}',
    })
  expect((await post(`Bearer ${token}`)).status).toBe(200)
  expect((await post(`Bearer ${token.slice(0, -1)}`)).status).toBe(401)
  for (const agent of agents.values()) expect(agent.said()).not.toContain(token)
})

test('one is down and one gets a wrong token: each is told apart, and the third does it', SLOW, async () => {
  await agents.get('erd2')?.stop('SIGKILL')
  copyFileSync(at('erd1/state/operations.token'), at('wrong.token'))
  const nodes = readFileSync(at('nodes.yaml'), 'utf8').replace('erd3/state/operations.token', 'wrong.token')
  writeFileSync(at('odd.yaml'), nodes)
  const { code, stdout, stderr } = await servers.flotilla(
    '--nodes-file',
    'odd.yaml',
    'datasets',
    'reload',
    'coastBuoys',
  )
  expect(code).toBe(6)
  expect(stdout).toMatch(/^erd1: every node was asked[^\n]*\n$/)
  expect(stderr).toMatch(/^erd2:\n {2}error: .*nothing listens there[^]*erd3:\n {2}error: the token is wrong/)
  expect(stderr).toMatch(/1 of 3 nodes ended with exit code 0; erd2 with 7, erd3 with 6\n$/)
})

test('a node that was killed goes on where it was, and takes up what it missed', SLOW, async () => {
  edit(/>Coastal Buoys[^<]*</, '>Coastal Buoys, while one was away<')
  await servers.flotilla('--nodes', 'erd1,erd3', '--nodes-file', 'nodes.yaml', 'datasets', 'rescan')
  // The port was any that was free; a node that people know by address has one of its own.
  const agent = startAgent('erd2')
  await agent.line(/answers operations itself/)
  const url = urlOf('erd2')
  writeFileSync(
    at('nodes.yaml'),
    readFileSync(at('nodes.yaml'), 'utf8').replace(/erd2: \{ url: '[^']*'/, `erd2: { url: '${url}'`),
  )
  const areTold = () => NAMES.every((name) => servers.datasetsXml(name).includes('while one was away'))
  await vi.waitFor(() => expect(areTold()).toBe(true), { timeout: 80_000, interval: 100 })
  await vi.waitFor(async () => expect((await each('status')).code).toBe(0), { timeout: 80_000, interval: 500 })
})

test('a new container: `agent --once`, before any ERDDAP runs', SLOW, async () => {
  await agents.get('erd3')?.stop()
  rmSync(at('erd3/state'), { recursive: true })
  rmSync(at('erd3/content/datasets.xml'))
  const once = await servers.flotilla('agent', '--config', 'erd3/agent.yaml', '--once', '--json', '--timeout', '60s')
  expect(JSON.parse(once.stdout)).toMatchObject({ reports: { datasets: { applied: 1 } } })
  expect(existsSync(at('erd3/content/datasets.xml'))).toBe(true)
  edit('</addAttributes>', '</addAtributes>')
  const kept = await servers.flotilla('agent', '--config', 'erd3/agent.yaml', '--once', '--json', '--timeout', '60s')
  expect(JSON.parse(kept.stdout)).toMatchObject({ reports: { datasets: { applied: 1 } } })
  rmSync(at('erd3/state'), { recursive: true })
  expect(await servers.flotilla('agent', '--config', 'erd3/agent.yaml', '--once')).toMatchObject({ code: 4 })
  edit('</addAtributes>', '</addAttributes>')
})

test('doctor asks the node itself', SLOW, async () => {
  const { stdout } = await servers.flotilla('doctor', '--config', 'erd1/agent.yaml')
  expect(stdout).toMatch(new RegExp(`answers: ${urlOf('erd1')} is ready`))
  expect(stdout).toMatch(/in step: IN STEP r\d+, 1\/1 nodes prove it/)
  expect(stdout).toMatch(/source of datasets: /)
})

test('an agent ends cleanly, and answers no more', SLOW, async () => {
  const url = urlOf('erd1')
  expect(await agents.get('erd1')?.stop('SIGTERM')).toBe(0)
  await expect(fetch(`${url}/healthz`)).rejects.toThrow()
})
