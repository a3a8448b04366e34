import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { Connection } from 'rabbitmq-client'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { connectionOptions } from '../src/bus/amqp/amqp-bus.ts'
import { amqpBridge } from '../src/compat/erddaputil/amqp.ts'
import { BRIDGE_AUTHOR, type BridgeDeps, Incoming, tcpBridge } from '../src/compat/erddaputil/bridge.ts'
import {
  type Message,
  readMessage,
  readReply,
  type Reply,
  signMessage,
  signReply,
} from '../src/compat/erddaputil/wire.ts'
import type { Service } from '../src/core/service.ts'
import { Secret } from '../src/lib/secret.ts'
import { systemClock } from '../src/lib/system-clock.ts'
import { openFolderBlobs } from '../src/releases/folder-blobs.ts'
import { followFolder } from '../src/releases/follow.ts'
import { Releases } from '../src/releases/releases.ts'
import { MemoryStore } from '../src/store/memory/memory-store.ts'
import { temporaryFolder } from './helpers/folder.ts'
import { recorder } from './helpers/hub.ts'
import { linesKind } from './helpers/lines-kind.ts'
import { needs } from './helpers/needs.ts'
import { type Broker, isBrokerInstalled, startBroker } from './helpers/rabbitmq.ts'

const SECRET = new Secret('a-secret-of-the-cluster')
const WAIT = { timeout: 20_000, interval: 20 }

const ending: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).toReversed()) await end()
})

/** A hub's parts that the bridge works with; the tree follows a folder, as it would where both share one. */
async function cluster() {
  const folder = temporaryFolder()
  const source = join(folder, 'datasets.d')
  await mkdir(source)
  await writeFile(join(source, 'a.txt'), 'a=1\nb=2\n')
  const clock = systemClock
  const store = new MemoryStore({ clock })
  const blobs = await openFolderBlobs(join(folder, 'blobs'), { clock })
  const releases = new Releases({ store, blobs, kinds: [linesKind], clock })
  const { log, lines } = recorder()
  const follower = followFolder(
    { tree: 'datasets', kind: 'lines', folder: source, intervalMs: 3_600_000, quarantine: false },
    { releases, blobs, clock, log },
  )
  await follower.rescan({}, 'anna')
  const deps: BridgeDeps = {
    store,
    clock,
    log,
    releases,
    followers: [follower],
    tree: 'datasets',
    hostname: 'flotilla',
  }
  ending.push(async () => await store.close())
  return { deps, source, store, releases, lines, incoming: new Incoming(deps) }
}

function run(services: readonly Service[]): void {
  const stop = new AbortController()
  const running = services.map(async (service) => await service.run(stop.signal).catch(() => undefined))
  ending.push(async () => {
    stop.abort()
    await Promise.all(running)
  })
}

async function listener(parts: Awaited<ReturnType<typeof cluster>>): Promise<number> {
  const { deps, incoming } = parts
  return await new Promise<number>((resolve) => {
    const listen = { host: '127.0.0.1', port: 0 }
    run(tcpBridge({ listen, nodes: [], secret: SECRET, incoming, onListening: resolve }, deps))
  })
}

let count = 0
const message = (name: string, kwargs: object = {}, more: Partial<Message> = {}): Message => ({
  name,
  kwargs: { ...kwargs },
  ignore: [],
  guid: `guid-${++count}`,
  ...more,
})

/** As ERDDAPUtil's command line does it. */
async function ask(port: number, token: string): Promise<Reply | undefined> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.on('data', (part) => (text += part.toString('latin1')))
  socket.write(`${token}\u0004`)
  await once(socket, 'close')
  return text.endsWith('\u0004') ? readReply(text.slice(0, -1), SECRET) : undefined
}

/** A daemon of ERDDAPUtil, as far as the wire goes. */
async function daemon(state: Reply['state'] = 'success'): Promise<{ port: number; heard: Message[]; server: Server }> {
  const heard: Message[] = []
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (part) => {
      const one = readMessage(part.toString('latin1').replace('\u0004', ''), SECRET)
      heard.push(one)
      socket.end(`${signReply({ message: 'Done', state, guid: one.guid }, SECRET)}\u0004`)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ending.push(() => server.close())
  return { port: (server.address() as AddressInfo).port, heard, server }
}

describe('over TCP', () => {
  test('every command of its own is carried out here, and answered in its form', async () => {
    const parts = await cluster()
    const port = await listener(parts)
    const send = async (name: string, kwargs: object = {}) =>
      await ask(port, signMessage(message(name, kwargs), SECRET))
    expect(await send('list_datasets')).toMatchObject({
      state: 'success',
      message: '2 datasets in r1\na (true)\nb (true)',
    })
    const commands: [string, object][] = [
      ['reload_datasets', { dataset_id: 'a,b', flag: 1, flush: true }],
      ['reload_all_datasets', { flag: 0, flush: false }],
      ['set_active_flag', { dataset_id: 'a', active_flag: false, flush: false }],
      ['manage_ip_block_list', { ip_address: '192.0.2.0/24', block: true, flush: false }],
      ['manage_email_block_list', { email_address: 'a@example.org', block: true, flush: false }],
      ['manage_unlimited_allow_list', { ip_address: '192.0.2.9', allow: true, flush: false }],
      ['flush_logs', {}],
      ['clear_erddap_cache', { dataset_id: '' }],
    ]
    for (const [name, kwargs] of commands)
      expect([name, await send(name, kwargs)]).toMatchObject([name, { state: 'success' }])
    const written = (await parts.store.list('')).entries.map(({ key }) => key)
    expect(written.filter((key) => /^(?:request|list)\//.test(key))).toEqual([
      'list/datasets/ipAddressUnlimited/192.0.2.9',
      'list/datasets/requestBlacklist/192.0.2.0%2F24',
      'list/datasets/subscriptionEmailBlacklist/a%40example.org',
      'request/datasets/clear-cache/*',
      'request/datasets/flush-logs/*',
      'request/datasets/reload/*',
      'request/datasets/reload/a',
      'request/datasets/reload/b',
    ])
    writeFileSync(join(parts.source, 'b.txt'), 'c=3\n')
    const compiled = await send('compile_datasets', {
      skip_errored_datasets: null,
      reload_all_datasets: true,
      immediate: false,
    })
    expect(compiled?.message).toMatch(/^released r3 on every node; every dataset is reloaded/)
    expect((await parts.releases.get('datasets', 3)).author).toBe(BRIDGE_AUTHOR)
    expect(await send('manage_ip_block_list', { ip_address: '192.0.2.0/24', block: false })).toMatchObject({
      state: 'success',
    })
    expect(await send('shutdown')).toMatchObject({
      state: 'error',
      message: expect.stringContaining('no command') as string,
    })
    expect(await send('reload_datasets', { dataset_id: 'nobody', flag: 0 })).toMatchObject({ state: 'error' })
  })

  test('a message that comes again is answered again, and carried out once', async () => {
    const parts = await cluster()
    const port = await listener(parts)
    const token = signMessage(message('reload_datasets', { dataset_id: 'a', flag: 0 }), SECRET)
    const first = await ask(port, token)
    const { revision } = await parts.store.list('')
    expect(await ask(port, token)).toEqual(first)
    expect((await parts.store.list('')).revision).toBe(revision)
  })

  test('what is signed by somebody else, or not meant for this host, changes nothing', async () => {
    const parts = await cluster()
    const port = await listener(parts)
    const { revision } = await parts.store.list('')
    const reload = message('reload_all_datasets', { flag: 2 })
    expect(await ask(port, signMessage(reload, new Secret('another')))).toBeUndefined()
    expect(await ask(port, 'nonsense')).toBeUndefined()
    expect(await ask(port, signMessage({ ...reload, ignore: ['flotilla'] }, SECRET))).toMatchObject({
      state: 'success',
    })
    expect((await parts.store.list('')).revision).toBe(revision)
  })

  test('clients that say nothing hold up nobody, and are let go', async () => {
    const parts = await cluster()
    const port = await listener(parts)
    const idle: Socket[] = Array.from({ length: 200 }, () => connect(port, '127.0.0.1'))
    const closed = Promise.all(
      idle.map(async (socket) => await new Promise((resolve) => socket.once('close', resolve))),
    )
    for (const socket of idle) socket.resume().on('error', () => undefined)
    await vi.waitFor(() => expect(idle.filter(({ connecting }) => connecting)).toEqual([]), WAIT)
    expect(await ask(port, signMessage(message('list_datasets'), SECRET))).toMatchObject({ state: 'success' })
    const long = connect(port, '127.0.0.1')
    long.on('error', () => undefined)
    long.write('x'.repeat(300_000))
    await new Promise((resolve) => long.once('close', resolve))
    await closed
  })

  test('its nodes are told of our releases, and never of what came from them', async () => {
    const parts = await cluster()
    const { deps, incoming, source } = parts
    const [one, two] = [await daemon(), await daemon()]
    const nodes = [one, two].map(({ port }) => ({ host: '127.0.0.1', port }))
    run(tcpBridge({ nodes, secret: SECRET, incoming }, deps))
    await parts.releases.setActive('datasets', 'a', { active: false }, 'anna')
    await vi.waitFor(() => expect([one.heard.length, two.heard.length]).toEqual([1, 1]), WAIT)
    expect(one.heard[0]).toMatchObject({ name: 'compile_datasets', ignore: ['flotilla'] })
    writeFileSync(join(source, 'b.txt'), 'c=3\n')
    await incoming.take(message('compile_datasets'), new AbortController().signal)
    expect((await parts.releases.current('datasets'))?.author).toBe(BRIDGE_AUTHOR)
    await parts.releases.setActive('datasets', 'a', { active: true }, 'anna')
    await vi.waitFor(() => expect(one.heard.length).toBe(2), WAIT)
    await vi.waitFor(() => expect(two.heard.length).toBe(2), WAIT)
  })

  test('a node that is away is told once when it is back, however many releases there were', async () => {
    const parts = await cluster()
    const away = await daemon()
    const { port } = away
    away.server.close()
    await once(away.server, 'close')
    run(tcpBridge({ nodes: [{ host: '127.0.0.1', port }], secret: SECRET, incoming: parts.incoming }, parts.deps))
    for (const active of [false, true, false]) await parts.releases.setActive('datasets', 'a', { active }, 'anna')
    await vi.waitFor(
      () => expect(parts.lines.map((line) => line.message)).toContain('a node of ERDDAPUtil could not be told'),
      WAIT,
    )
    const heard: Message[] = []
    const back = createServer((socket) => {
      socket.on('data', (part) => {
        const one = readMessage(part.toString('latin1').replace('\u0004', ''), SECRET)
        heard.push(one)
        socket.end(`${signReply({ message: 'Done', state: 'success', guid: one.guid }, SECRET)}\u0004`)
      })
    })
    back.listen(port, '127.0.0.1')
    ending.push(() => back.close())
    await vi.waitFor(() => expect(heard.length).toBe(1), WAIT)
    expect(parts.lines.filter((line) => line.message === 'told a node of ERDDAPUtil to compile')).toHaveLength(1)
  }, 30_000)
})

const withBroker = await needs({ tools: ['rabbitmq-server'] })

describe('over RabbitMQ', () => {
  let broker: Broker | undefined
  beforeAll(async () => (broker = isBrokerInstalled() ? await startBroker() : undefined), 150_000)
  afterAll(async () => await broker?.stop())

  withBroker(
    'commands for the cluster and for all arrive, those to be ignored do not, and our releases are published',
    { timeout: 60_000 },
    async () => {
      if (broker === undefined) throw new Error('there is no broker')
      const { url, user, password } = broker
      const parts = await cluster()
      const options = { exchange: 'erddap_cnc', exchangeType: 'topic', cluster: 'c1', secret: SECRET } as const
      const connection = connectionOptions({ url, user, password, connectionName: 'bridge' })
      run([amqpBridge({ ...options, connection, incoming: parts.incoming }, parts.deps)])
      const theirs = new Connection(connectionOptions({ url, user, password, connectionName: 'theirs' }))
      ending.push(async () => await theirs.close())
      const heard: Message[] = []
      const exchanges = [{ exchange: 'erddap_cnc', type: 'topic', durable: true }]
      const consumer = theirs.createConsumer(
        {
          queue: 'erddap_c1_node-a',
          queueOptions: { durable: true },
          exchanges,
          queueBindings: [{ exchange: 'erddap_cnc', routingKey: 'erddap.cluster.c1' }],
        },
        ({ body }) => {
          if (body !== 'nonsense') heard.push(readMessage(String(body), SECRET))
        },
      )
      ending.push(async () => await consumer.close())
      const publisher = theirs.createPublisher({ confirm: true, exchanges })
      ending.push(async () => await publisher.close())
      const say = async (routingKey: string, token: string) =>
        await publisher.send({ exchange: 'erddap_cnc', routingKey, contentType: 'text/plain', durable: false }, token)
      const keysOf = async () => (await parts.store.list('request/')).entries.map(({ key }) => key)
      const all = message('flush_logs')
      await vi.waitFor(async () => {
        await say('erddap.global', signMessage(all, SECRET))
        expect(await keysOf()).toEqual(['request/datasets/flush-logs/*'])
      }, WAIT)
      await say('erddap.cluster.c1', 'nonsense')
      await say(
        'erddap.cluster.c1',
        signMessage(message('reload_datasets', { dataset_id: 'b', flag: 0 }, { ignore: ['flotilla'] }), SECRET),
      )
      await say('erddap.cluster.c2', signMessage(message('reload_datasets', { dataset_id: 'b', flag: 0 }), SECRET))
      await say('erddap.cluster.c1', signMessage(message('reload_datasets', { dataset_id: 'a', flag: 0 }), SECRET))
      await vi.waitFor(async () => expect(await keysOf()).toContain('request/datasets/reload/a'), WAIT)
      expect(await keysOf()).not.toContain('request/datasets/reload/b')
      const { revision } = await parts.store.list('request/datasets/flush-logs')
      await parts.releases.setActive('datasets', 'a', { active: false }, 'anna')
      await vi.waitFor(() => expect(heard.map(({ name }) => name)).toContain('compile_datasets'), WAIT)
      expect(revision).toBeGreaterThan(0)
    },
  )
})
