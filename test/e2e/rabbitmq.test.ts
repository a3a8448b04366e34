import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, vi } from 'vitest'
import { openAmqpBus } from '../../src/bus/amqp/amqp-bus.ts'
import { silent } from '../../src/core/log.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { needs } from '../helpers/needs.ts'
import { Servers } from '../helpers/nodes.ts'
import type { Running } from '../helpers/program.ts'
import { type Broker, isBrokerInstalled, startBroker } from '../helpers/rabbitmq.ts'

/** Hub and agents with a real RabbitMQ that comes, goes and was never there. */

const test = await needs({ tools: ['rabbitmq-server'] })
const SLOW = { timeout: 120_000 }

const folder = mkdtempSync(join(tmpdir(), 'flotilla-rabbit-e2e-'))
const servers = new Servers(folder)
const flotilla = servers.flotilla.bind(servers)
let broker: Broker
let hub: Running
let agent: Running

const busOf = ({ url, user }: Broker): string =>
  `bus:\n  kind: amqp\n  url: ${url}\n  user: ${user}\n  passwordFile: ${join(folder, 'broker.password')}\n`

beforeAll(async () => {
  if (!isBrokerInstalled()) return
  broker = await startBroker()
  writeFileSync(join(folder, 'broker.password'), `${broker.password.reveal()}\n`, { mode: 0o600 })
  writeFileSync(join(folder, 'hub.yaml'), `data: data\nlisten: 127.0.0.1:0\n${busOf(broker)}`)
  hub = servers.launch(['hub', '--config', 'hub.yaml'])
  await hub.line(/the hub is ready/)
  servers.env = {
    FLOTILLA_URL: readFileSync(join(folder, 'data/url'), 'utf8').trim(),
    FLOTILLA_TOKEN_FILE: join(folder, 'data/admin.token'),
  }
  const erddap = await servers.addErddap('erd1')
  const code = (await flotilla('token', 'join-code')).stdout.trim()
  const dirs = ['--content-dir', erddap.content, '--big-parent-dir', erddap.bpd, '--state', erddap.state]
  const more = ['--erddap-url', erddap.url, '--value', `data=${servers.data}`, '--no-start']
  await flotilla('join', servers.env['FLOTILLA_URL'] ?? '', code, '--node', 'erd1', ...dirs, ...more)
  // The interval does nothing within this test: what comes, comes by a watch or a hint.
  appendFileSync(join(erddap.state, 'agent.yaml'), `interval: 1h\n${busOf(broker)}`)
  agent = servers.launch(['agent', '--state', erddap.state])
  await agent.line(/the message broker is there/)
  servers.copyFragments('datasets.d')
}, 150_000)

afterAll(async () => {
  await servers.stop()
  await (broker as Broker | undefined)?.stop()
  rmSync(folder, { recursive: true, force: true })
}, 60_000)

/** Releases a new title, and waits until the node proves it. */
async function change(title: string): Promise<void> {
  const path = join(folder, 'datasets.d/buoys/coastBuoys.xml')
  writeFileSync(path, readFileSync(path, 'utf8').replace(/>Coastal Buoys[^<]*</, `>Coastal Buoys, ${title}<`))
  const { code, stderr } = await flotilla(
    'datasets',
    'release',
    'datasets.d',
    '-m',
    title,
    '--wait',
    '--timeout',
    '60s',
  )
  expect(stderr).not.toContain('error')
  expect(code).toBe(0)
  expect(servers.datasetsXml('erd1')).toContain(title)
}

const doctor = async (): Promise<string> => (await flotilla('doctor', '--state', join(folder, 'erd1/state'))).stdout

test('a release is told through the broker, and the node listens there', SLOW, async () => {
  const { url, user, password } = broker
  const own = { exchange: 'flotilla', queueType: 'classic', connectionName: 'test', random: Math.random } as const
  const ear = await openAmqpBus({ url, user, password, ...own, clock: systemClock, log: silent })
  onTestFinished(async () => await ear.close())
  const heard: string[] = []
  const hearing = async (): Promise<void> => {
    const { signal } = new AbortController()
    for await (const hint of ear.subscribe({ node: 'ear', signal })) heard.push(JSON.stringify(hint))
  }
  void hearing()
  await vi.waitFor(() => expect(ear.health.state).toBe('connected'), { timeout: 20_000 })
  await change('told')
  await vi.waitFor(() => expect(heard.join('\n')).toMatch(/^\{"prefix":"desired\/","revision":\d+\}$/m), {
    timeout: 20_000,
  })
  expect(await broker.ctl('list_queues', 'name', 'consumers')).toMatch(/^flotilla:erd1\t1$/m)
  expect(await doctor()).toMatch(/hints: the message broker takes them[^]*message broker: .* this node’s agent listens/)
})

test('a broker that is killed changes nothing but what doctor says', SLOW, async () => {
  await broker.kill()
  await change('without a broker')
  expect((await flotilla('status')).code).toBe(0)
  const text = await doctor()
  expect(text).toMatch(/! warn {2}hints: the hub has had no message broker for .*; nodes stay in step/)
  expect(text).toMatch(/! warn {2}message broker: .*ECONNREFUSED.*; the node stays in step/)
  expect(text).not.toContain('FAIL')
})

test(
  'a hub and an agent that start without the broker serve all the same, and find it when it comes',
  SLOW,
  async () => {
    expect(await agent.stop()).toBe(0)
    expect(await hub.stop()).toBe(0)
    const port = new URL(servers.env['FLOTILLA_URL'] ?? '').port
    hub = servers.launch(['hub', '--config', 'hub.yaml', '--listen', `127.0.0.1:${port}`])
    await hub.line(/the hub is ready/)
    agent = servers.launch(['agent', '--state', join(folder, 'erd1/state')])
    await change('from the start')
    await broker.restart()
    await Promise.all([hub.line(/the message broker is there/), agent.line(/the message broker is there/)])
    await change('and with it again')
    expect(await doctor()).toMatch(/hints: the message broker takes them/)
  },
)

test('no process shows the password of the broker', SLOW, async () => {
  const password = broker.password.reveal()
  for (const program of servers.running) {
    expect(program.said()).not.toContain(password)
    if (program.child.exitCode !== null) continue
    expect(readFileSync(`/proc/${program.child.pid}/cmdline`, 'utf8')).not.toContain(password)
  }
  expect((await flotilla('config', 'show', 'hub.yaml')).stdout).not.toContain(password)
})
