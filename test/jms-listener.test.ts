import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, vi } from 'vitest'
import { JmsListener, type JmsListenerOptions, LACKS_XSTREAM, type JmsSignal } from '../src/compat/jms/listener.ts'
import { jmsConfigSchema } from '../src/config/jms.ts'
import { probeJms } from '../src/compat/jms/probe.ts'
import { Secret } from '../src/lib/secret.ts'
import { systemClock } from '../src/lib/system-clock.ts'
import { type ActiveMq, isActiveMqInstalled, startActiveMq } from './helpers/activemq.ts'
import { recorder } from './helpers/hub.ts'
import { agentSchema } from '../src/config/agent.ts'
import { agentChecks } from '../src/cli/doctor/agent.ts'
import { targetsOf } from '../src/app/agent-targets.ts'
import { MemoryStore } from '../src/store/memory/memory-store.ts'
import { temporaryFolder } from './helpers/folder.ts'
import { needs } from './helpers/needs.ts'

/** A real ActiveMQ, and messages as GeoServer's JMS extension sends them: objects of Java whose string is XStream's XML. */

const test = await needs({ tools: ['activemq', 'xstream'] })
const SLOW = { timeout: 120_000 }
const PATIENT = { timeout: 30_000, interval: 20 }
const TOPIC = 'VirtualTopic.geoserver'

let broker: ActiveMq
beforeAll(async () => {
  if (isActiveMqInstalled()) broker = await startActiveMq({ xstream: true })
}, 100_000)
afterAll(async () => await (broker as ActiveMq | undefined)?.stop())

const ADDED = `<org.geoserver.catalog.event.impl.CatalogAddEventImpl>
  <source class="org.geoserver.catalog.impl.DataStoreInfoImpl">
    <id>DataStoreInfoImpl-1</id><name>pg</name>
    <workspace class="org.geoserver.catalog.impl.WorkspaceInfoImpl"><name>topp</name></workspace>
    <connectionParameters><entry><string>passwd</string><string>canary-1</string></entry></connectionParameters>
  </source>
</org.geoserver.catalog.event.impl.CatalogAddEventImpl>`

/** All of cluster.properties, and the query of the REST request, as on a real message. */
const HEADERS = {
  instanceName: 'gs1',
  group: 'geoserver-cluster',
  JMSEventHandlerSPI: 'JMSCatalogAddEventHandlerSPI',
  brokerURL: 'failover:(tcp://admin:canary-2@broker:61616)',
  embeddedBrokerProperties: 'embedded-broker.properties',
  toggleMaster: 'true',
  key: 'canary-3',
}

async function say(xml: string, headers: Readonly<Record<string, string>> = HEADERS): Promise<void> {
  const master = await broker.admin()
  const body = `<string>${xml.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</string>`
  await master.send(`/topic/${TOPIC}`, { ...headers, persistent: 'true', transformation: 'jms-object-xml' }, body)
  await master.close()
}

/** Different messages: a broker that is killed may have forgotten what was acknowledged, and gives it again. */
const sent = (signals: readonly JmsSignal[]): ReadonlySet<number> => new Set(signals.map(({ at }) => at))

function listen(node: string, more: Partial<JmsListenerOptions> = {}) {
  const { url, user, password } = broker
  const { topic, group } = jmsConfigSchema.parse({ url, passwordFile: 'p' })
  const signals: JmsSignal[] = []
  const { log, lines } = recorder()
  const own = { clock: systemClock, log, random: Math.random, onSignal: (each: JmsSignal) => void signals.push(each) }
  const listener = new JmsListener({ url, user, password, topic, group, node, ...own, ...more })
  const stop = new AbortController()
  const running = listener.run(stop.signal)
  const end = async (): Promise<void> => {
    stop.abort()
    await running
  }
  onTestFinished(end)
  const connected = async (): Promise<void> =>
    await vi.waitFor(() => expect(listener.status.broker.state).toBe('connected'), PATIENT)
  const heard = async (count: number): Promise<void> =>
    await vi.waitFor(() => expect(sent(signals).size).toBe(count), PATIENT)
  return { listener, signals, lines, end, connected, heard }
}

test(
  'a change on a node of the cluster is a signal, and who changed what is on record without any secret',
  SLOW,
  async () => {
    const ours = listen('n1')
    await ours.connected()
    const beforeMs = Date.now()
    await say(ADDED)
    await ours.heard(1)
    expect(ours.signals[0]).toEqual({
      instance: 'gs1',
      group: 'geoserver-cluster',
      handler: 'JMSCatalogAddEventHandlerSPI',
      at: expect.any(Number),
      change: { event: 'add', object: 'datastore/topp:pg', properties: [] },
    })
    expect(Math.abs((ours.signals[0]?.at ?? 0) - beforeMs)).toBeLessThan(10_000)
    expect(ours.lines.find(({ message }) => message.includes('made a change'))?.fields).toEqual({
      instance: 'gs1',
      event: 'add',
      object: 'datastore/topp:pg',
      properties: [],
    })
    expect(JSON.stringify([ours.lines, ours.signals, ours.listener, ours.listener.status])).not.toMatch(
      /canary|brokerURL/,
    )
  },
)

test('nothing is taken from the nodes of the cluster', SLOW, async () => {
  const [gs1, gs2] = [await broker.admin(), await broker.admin()]
  const got: string[] = []
  for (const [name, node] of [
    ['gs1', gs1],
    ['gs2', gs2],
  ] as const) {
    const take = (): void => void got.push(name)
    await node.subscribe({ destination: `/queue/Consumer.${name}.${TOPIC}`, prefetch: 1, take })
    onTestFinished(async () => await node.close())
  }
  const [first, second] = [listen('n2'), listen('n3')]
  await Promise.all([first.connected(), second.connected()])
  for (let turn = 0; turn < 5; turn++) await say(ADDED)
  await Promise.all([first.heard(5), second.heard(5)])
  await vi.waitFor(() => expect(got.toSorted()).toEqual([...Array(5).fill('gs1'), ...Array(5).fill('gs2')]), PATIENT)
})

test('what is said while we are away, and while the broker is, is heard afterwards', SLOW, async () => {
  const before = listen('n4')
  await before.connected()
  await before.end()
  await say(ADDED)
  await broker.kill()
  await broker.restart()
  const after = listen('n4')
  await after.heard(1)
  await broker.kill()
  await vi.waitFor(() => expect(after.listener.status.broker.state).toBe('away'), PATIENT)
  await broker.restart()
  await after.connected()
  await say(ADDED)
  await after.heard(2)
  await after.end()
  expect(await broker.waiting(`Consumer.flotilla-n4.${TOPIC}`)).toEqual([])
})

test('other groups, strangers, malformed and huge messages are counted, and disturb nothing', SLOW, async () => {
  const ours = listen('n5')
  await ours.connected()
  await say(ADDED, { ...HEADERS, group: 'others' })
  await say(ADDED, {})
  await say('<half')
  await say('<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>')
  await say(`<a>${'x'.repeat(5 * 1024 * 1024)}</a>`)
  await say(ADDED, { ...HEADERS, instanceName: 'a\nb\u001b[31m'.padEnd(1000, 'x') })
  await ours.heard(4)
  expect(ours.listener.status).toMatchObject({ signals: 4, foreign: 2, unreadable: 3, tellsWhat: true })
  expect(ours.signals.map(({ change }) => change?.object)).toEqual([
    undefined,
    undefined,
    undefined,
    'datastore/topp:pg',
  ])
  expect(ours.signals.at(-1)?.instance).toMatch(/^a\\u000ab\\u001b\[31mx+$/)
  expect(ours.signals.at(-1)?.instance).toHaveLength(128)
})

test('without libxstream on the broker a change is a signal still, and it is said what to install', SLOW, async () => {
  const { url, user, password } = broker
  const look = { url, user, password, clock: systemClock }
  const before = listen('n6')
  await before.connected()
  await before.end()
  expect(await probeJms(look)).toEqual({ tellsWhat: true })
  await say(ADDED)
  await broker.kill()
  await broker.restart({ xstream: false })
  expect(await probeJms(look)).toEqual({ tellsWhat: false })
  const ours = listen('n6')
  await ours.heard(1)
  expect(ours.signals[0]).toMatchObject({ instance: 'gs1', change: undefined })
  expect(ours.listener.status).toMatchObject({ tellsWhat: false, signals: 1, unreadable: 0 })
  expect(ours.lines).toContainEqual(expect.objectContaining({ level: 'warn', fields: { hint: LACKS_XSTREAM } }))
  // Once it is installed, what changed is told again.
  await broker.kill()
  await broker.restart({ xstream: true })
  await vi.waitFor(() => expect(ours.listener.status).toMatchObject({ tellsWhat: true }), PATIENT)
  await say(ADDED)
  await ours.heard(2)
  expect(ours.signals.at(-1)?.change?.object).toBe('datastore/topp:pg')
})

test('a wrong password is told in words, by the listener and by a look', SLOW, async () => {
  const { url, user } = broker
  const password = new Secret('hunter2-hunter2')
  const ours = listen('n7', { password })
  await vi.waitFor(() => expect(ours.listener.status.broker.error).toMatch(/password is invalid/), PATIENT)
  const look = probeJms({ url, user, password, clock: systemClock })
  await expect(look).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringMatching(/password is invalid/),
  })
  expect(JSON.stringify([ours.lines, ours.listener.status])).not.toContain('hunter2')
})

test(
  'an agent whose GeoServer is in a JMS cluster looks when another node of that says something; doctor looks at its broker',
  SLOW,
  async () => {
    const { url, user, password } = broker
    const base = temporaryFolder()
    writeFileSync(join(base, 'password'), password.reveal(), { mode: 0o600 })
    const dataDirectory = temporaryFolder({ 'global.xml': '<global/>' })
    const jms = { url, user, passwordFile: 'password' }
    const gs = { kind: 'geoserver', dataDirectory, url: 'http://127.0.0.1:9/geoserver', passwordFile: '/p', jms }
    const config = agentSchema.parse({ node: 'n8', hub: 'http://127.0.0.1:9', targets: { catalog: gs } })
    const { log, lines } = recorder()
    const deps = { clock: systemClock, log, store: new MemoryStore({ clock: systemClock }), base }
    const [at] = targetsOf(config, base, deps)
    const stop = new AbortController()
    const changes = at?.localChanges?.(stop.signal)[Symbol.asyncIterator]()
    const heard = changes?.next()
    const audited = (): unknown[] =>
      lines.filter(({ message }) => message.includes('made a change')).map(({ fields }) => fields)
    await vi.waitFor(async () => {
      await say(ADDED)
      expect(audited()).toContainEqual(expect.objectContaining({ instance: 'gs1', object: 'datastore/topp:pg' }))
    }, PATIENT)
    expect(await heard).toMatchObject({ done: false })
    stop.abort()
    const found = agentChecks(join(base, 'agent.yaml'), config).find(({ name }) => name === 'JMS cluster')
    expect(await found?.run()).toMatchObject({ verdict: 'ok' })
  },
)
