import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, vi } from 'vitest'
import { type ActiveMq, isActiveMqInstalled, startActiveMq } from '../helpers/activemq.ts'
import { needs } from '../helpers/needs.ts'
import { Servers } from '../helpers/nodes.ts'
import type { Running } from '../helpers/program.ts'
import { hear, openStompBus } from '../helpers/stomp-buses.ts'

/** Hub and agent with a real ActiveMQ that comes and goes. */

const test = await needs({ tools: ['activemq'] })
const SLOW = { timeout: 120_000 }

const folder = mkdtempSync(join(tmpdir(), 'flotilla-activemq-e2e-'))
const servers = new Servers(folder)
const flotilla = servers.flotilla.bind(servers)
let broker: ActiveMq
let agent: Running

const busOf = ({ url, user }: ActiveMq): string =>
  `bus:\n  kind: stomp\n  url: ${url}\n  user: ${user}\n  passwordFile: ${join(folder, 'broker.password')}\n`

beforeAll(async () => {
  if (!isActiveMqInstalled()) return
  broker = await startActiveMq()
  writeFileSync(join(folder, 'broker.password'), `${broker.password.reveal()}\n`, { mode: 0o600 })
  writeFileSync(join(folder, 'hub.yaml'), `data: data\nlisten: 127.0.0.1:0\n${busOf(broker)}`)
  const hub = servers.launch(['hub', '--config', 'hub.yaml'])
  await hub.line(/the hub is ready/)
  servers.env = {
    FLOTILLA_URL: readFileSync(join(folder, 'data/url'), 'utf8').trim(),
    FLOTILLA_TOKEN_FILE: join(folder, 'data/admin.token'),
  }
  const erddap = await servers.addErddap('erd.1')
  const code = (await flotilla('token', 'join-code')).stdout.trim()
  const dirs = ['--content-dir', erddap.content, '--big-parent-dir', erddap.bpd, '--state', erddap.state]
  const more = ['--erddap-url', erddap.url, '--value', `data=${servers.data}`, '--no-start']
  await flotilla('join', servers.env['FLOTILLA_URL'] ?? '', code, '--node', 'erd.1', ...dirs, ...more)
  // The interval does nothing within this test: what comes, comes by a watch or a hint.
  appendFileSync(join(erddap.state, 'agent.yaml'), `interval: 1h\n${busOf(broker)}`)
  agent = servers.launch(['agent', '--state', erddap.state])
  await agent.line(/the message broker is there/)
  servers.copyFragments('datasets.d')
}, 150_000)

afterAll(async () => {
  await servers.stop()
  await (broker as ActiveMq | undefined)?.stop()
  rmSync(folder, { recursive: true, force: true })
}, 60_000)

/** Releases a new title, and waits until the node proves it. */
async function change(title: string): Promise<void> {
  const path = join(folder, 'datasets.d/buoys/coastBuoys.xml')
  writeFileSync(path, readFileSync(path, 'utf8').replace(/>Coastal Buoys[^<]*</, `>Coastal Buoys, ${title}<`))
  const { stderr } = await flotilla('datasets', 'release', 'datasets.d', '-m', title, '--wait', '--timeout', '60s')
  expect(stderr).not.toContain('error')
  expect(servers.datasetsXml('erd.1')).toContain(title)
}

const doctor = async (): Promise<string> => (await flotilla('doctor', '--state', join(folder, 'erd.1/state'))).stdout

test('a release is told through the broker, and the node listens there', SLOW, async () => {
  const ear = openStompBus(broker)
  const heard = hear(ear, 'ear')
  await vi.waitFor(() => expect(ear.health.state).toBe('connected'), { timeout: 20_000 })
  await change('told')
  await vi.waitFor(() => expect(heard.get('desired/')).toBeGreaterThan(0), { timeout: 20_000 })
  expect(await doctor()).toMatch(/hints: the message broker takes them[^]*message broker: .* this node’s agent listens/)
})

test(
  'a broker that is killed changes nothing but what doctor says, and is used again when it is back',
  SLOW,
  async () => {
    await broker.kill()
    await change('without a broker')
    const text = await doctor()
    expect(text).toMatch(/! warn {2}hints: the hub has had no message broker for .*; nodes stay in step/)
    expect(text).toMatch(/! warn {2}message broker: .*ECONNREFUSED.*; the node stays in step/)
    expect(text).not.toContain('FAIL')
    await broker.restart()
    await agent.line(/the message broker is there/)
    await change('and with it again')
    await vi.waitFor(async () => expect(await doctor()).toMatch(/this node’s agent listens/), { timeout: 30_000 })
  },
)

test('no process shows the password of the broker', SLOW, async () => {
  const password = broker.password.reveal()
  for (const program of servers.running) {
    expect(program.said()).not.toContain(password)
    expect(readFileSync(`/proc/${program.child.pid}/cmdline`, 'utf8')).not.toContain(password)
  }
  expect((await flotilla('config', 'show', 'hub.yaml')).stdout).not.toContain(password)
})
