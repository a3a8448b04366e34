import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, type TestAPI, vi } from 'vitest'
import { amqpCarrier } from '../helpers/amqp-carrier.ts'
import { Carried, type Carrier, connected, hear, type RealBroker } from '../helpers/carrier.ts'
import { needs } from '../helpers/needs.ts'
import { Servers } from '../helpers/nodes.ts'
import type { Running } from '../helpers/program.ts'
import { stompCarrier } from '../helpers/stomp-carrier.ts'

const SLOW = { timeout: 120_000 }
/** With a dot, which means something to a broker. */
const NODE = 'erd.1'

brokerSuite(amqpCarrier, await needs({ tools: ['rabbitmq-server'] }))
brokerSuite(stompCarrier, await needs({ tools: ['activemq'] }))

/** Hub and agent with a real broker that comes, goes and was never there. */
function brokerSuite<B extends RealBroker>(carrier: Carrier<B>, test: TestAPI): void {
  describe(`hub and agent with a broker: ${carrier.kind}`, () => {
    const carried = new Carried(carrier)
    const folder = mkdtempSync(join(tmpdir(), `flotilla-${carrier.kind}-e2e-`))
    const servers = new Servers(folder)
    let hub: Running
    let agent: Running

    const doctor = async (): Promise<string> =>
      (await servers.flotilla('doctor', '--state', join(folder, NODE, 'state'))).stdout

    beforeAll(async () => {
      if (carrier.isInstalled()) ({ hub, agent } = await startBoth(carried, servers, folder))
    }, 150_000)

    afterAll(async () => {
      await servers.stop()
      rmSync(folder, { recursive: true, force: true })
    }, 60_000)

    test('a release is told through the broker, and the node listens there', SLOW, async () => {
      const ear = await carried.open('flotilla')
      const heard = hear(ear, 'ear')
      await connected(ear)
      await change(servers, folder, 'told')
      await vi.waitFor(() => expect(heard.get('desired/')).toBeGreaterThan(0), { timeout: 20_000 })
      expect(await doctor()).toMatch(
        /hints: the message broker takes them[^]*message broker: .* this node’s agent listens/,
      )
    })

    test('a broker that is killed changes nothing but what doctor says', SLOW, async () => {
      await carried.broker.kill()
      await change(servers, folder, 'without a broker')
      expect((await servers.flotilla('status')).code).toBe(0)
      const text = await doctor()
      expect(text).toMatch(/! warn {2}hints: the hub has had no message broker for .*; nodes stay in step/)
      expect(text).toMatch(/! warn {2}message broker: .*ECONNREFUSED.*; the node stays in step/)
      expect(text).not.toContain('FAIL')
    })

    test(
      'a hub and an agent that start without the broker serve all the same, and use it when it comes',
      SLOW,
      async () => {
        expect(await agent.stop()).toBe(0)
        expect(await hub.stop()).toBe(0)
        const port = new URL(servers.env['FLOTILLA_URL'] ?? '').port
        hub = servers.launch(['hub', '--config', 'hub.yaml', '--listen', `127.0.0.1:${port}`])
        await hub.line(/the hub is ready/)
        agent = servers.launch(['agent', '--state', join(folder, NODE, 'state')])
        await change(servers, folder, 'from the start')
        await carried.broker.restart()
        await Promise.all([hub.line(/the message broker is there/), agent.line(/the message broker is there/)])
        await change(servers, folder, 'and with it again')
        expect(await doctor()).toMatch(
          /hints: the message broker takes them[^]*message broker: .* this node’s agent listens/,
        )
      },
    )

    test('a broker that is killed under them is used again when it is back', SLOW, async () => {
      const found = (): readonly number[] =>
        [hub, agent].map((each) => each.said().split('the message broker is there').length)
      const [ofHub = 0, ofAgent = 0] = found()
      await carried.broker.kill()
      await carried.broker.restart()
      await vi.waitFor(() => expect(found()).toEqual([ofHub + 1, ofAgent + 1]), { timeout: 60_000 })
      await change(servers, folder, 'after a fall')
      await vi.waitFor(async () => expect(await doctor()).toMatch(/this node’s agent listens/), { timeout: 30_000 })
    })

    test('no process shows the password of the broker', SLOW, async () => {
      const password = carried.broker.password.reveal()
      for (const program of servers.running) {
        expect(program.said()).not.toContain(password)
        if (program.child.exitCode !== null) continue
        expect(readFileSync(`/proc/${program.child.pid}/cmdline`, 'utf8')).not.toContain(password)
      }
      expect((await servers.flotilla('config', 'show', 'hub.yaml')).stdout).not.toContain(password)
    })
  })
}

/** A hub, and an agent beside an ERDDAP, both with the broker. */
async function startBoth<B extends RealBroker>(
  { broker, carrier }: Carried<B>,
  servers: Servers,
  folder: string,
): Promise<{ readonly hub: Running; readonly agent: Running }> {
  const { url, user, password } = broker
  const passwordFile = join(folder, 'broker.password')
  const bus = `bus:\n  kind: ${carrier.kind}\n  url: ${url}\n  user: ${user}\n  passwordFile: ${passwordFile}\n`
  writeFileSync(passwordFile, `${password.reveal()}\n`, { mode: 0o600 })
  writeFileSync(join(folder, 'hub.yaml'), `data: data\nlisten: 127.0.0.1:0\n${bus}`)
  const hub = servers.launch(['hub', '--config', 'hub.yaml'])
  await hub.line(/the hub is ready/)
  servers.env = {
    FLOTILLA_URL: readFileSync(join(folder, 'data/url'), 'utf8').trim(),
    FLOTILLA_TOKEN_FILE: join(folder, 'data/admin.token'),
  }
  const erddap = await servers.addErddap(NODE)
  const code = (await servers.flotilla('token', 'join-code')).stdout.trim()
  const dirs = ['--content-dir', erddap.content, '--big-parent-dir', erddap.bpd, '--state', erddap.state]
  const more = ['--erddap-url', erddap.url, '--value', `data=${servers.data}`, '--no-start']
  await servers.flotilla('join', servers.env['FLOTILLA_URL'] ?? '', code, '--node', NODE, ...dirs, ...more)
  // The interval does nothing within this test: what comes, comes by a watch or a hint.
  appendFileSync(join(erddap.state, 'agent.yaml'), `interval: 1h\n${bus}`)
  const agent = servers.launch(['agent', '--state', erddap.state])
  await agent.line(/the message broker is there/)
  servers.copyFragments('datasets.d')
  return { hub, agent }
}

/** Releases a new title, and waits until the node proves it. */
async function change(servers: Servers, folder: string, title: string): Promise<void> {
  const path = join(folder, 'datasets.d/buoys/coastBuoys.xml')
  writeFileSync(path, readFileSync(path, 'utf8').replace(/>Coastal Buoys[^<]*</, `>Coastal Buoys, ${title}<`))
  const release = ['datasets', 'release', 'datasets.d', '-m', title, '--wait', '--timeout', '60s']
  const { code, stderr } = await servers.flotilla(...release)
  expect(stderr).not.toContain('error')
  expect(code).toBe(0)
  expect(servers.datasetsXml(NODE)).toContain(title)
}
