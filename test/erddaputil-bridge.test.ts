import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { Connection } from 'rabbitmq-client'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { erddaputilServices } from '../src/app/erddaputil.ts'
import { inOneHub } from '../src/app/one-hub.ts'
import { connectionOptions } from '../src/bus/amqp/amqp-bus.ts'
import { amqpBridge } from '../src/compat/erddaputil/amqp.ts'
import { type BridgeDeps, Incoming, tcpBridge } from '../src/compat/erddaputil/bridge.ts'
import { BRIDGE_AUTHOR } from '../src/compat/erddaputil/sayings.ts'
import {
  type Message,
  readMessage,
  readReply,
  type Reply,
  signMessage,
  signReply,
} from '../src/compat/erddaputil/wire.ts'
import { erddaputil } from '../src/config/erddaputil.ts'
import { FlotillaError } from '../src/core/errors.ts'
import { keys } from '../src/core/keys.ts'
import type { Service } from '../src/core/service.ts'
import type { Store } from '../src/core/store.ts'
import { changeList } from '../src/hub/lists.ts'
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
import { storeInstead } from './helpers/store-instead.ts'

const BLOCKED = { tree: 'datasets', list: 'requestBlacklist' } as const
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

/** What comes back ends them; so does the test. */
function run(services: readonly Service[]): () => Promise<void> {
  const stop = new AbortController()
  const running = services.map(async (service) => await service.run(stop.signal).catch(() => undefined))
  const end = async (): Promise<void> => {
    stop.abort()
    await Promise.all(running)
  }
  ending.push(end)
  return end
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
async function daemon(at = 0): Promise<{ port: number; heard: Message[]; server: Server }> {
  const heard: Message[] = []
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (part) => {
      const one = readMessage(part.toString('latin1').replace('\u0004', ''), SECRET)
      heard.push(one)
      const state = one.kwargs['dataset_id'] === 'refused' ? 'error' : 'success'
      socket.end(`${signReply({ message: 'Done', state, guid: one.guid }, SECRET)}\u0004`)
    })
  })
  server.listen(at, '127.0.0.1')
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
    const { heard } = await daemon(port)
    await vi.waitFor(() => expect(heard.length).toBe(1), WAIT)
    expect(parts.lines.filter((line) => line.message === 'told a node of ERDDAPUtil')).toHaveLength(1)
  }, 30_000)

  test('two hubs over one store tell each of its nodes once, and the other goes on when the one that tells is gone', async () => {
    const parts = await cluster()
    const { port, heard } = await daemon()
    const { deps } = parts
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'secret'), SECRET.reveal(), { mode: 0o600 })
    const nodes = [`127.0.0.1:${port}`]
    const config = erddaputil.parse({ hostname: 'flotilla', secretFile: join(folder, 'secret'), nodes })
    const start = async (holder: string): Promise<() => Promise<void>> => {
      const inOne = (service: Service): Service => inOneHub(service, { ...deps, holder })
      return run(await erddaputilServices(config, folder, deps, inOne))
    }
    const hubs = new Map([
      ['one', await start('one')],
      ['two', await start('two')],
    ])
    const teller = async (): Promise<string> => {
      const [entry] = (await parts.store.list('service/')).entries
      return (JSON.parse(entry?.value ?? '{}') as { readonly holder?: string }).holder ?? ''
    }
    const isTold = async (): Promise<boolean> => (await parts.store.list('bridge/')).entries.length === 1
    await vi.waitFor(async () => expect(await isTold()).toBe(true), WAIT)
    await parts.releases.request('datasets', { kind: 'flush-logs' }, 'anna')
    await vi.waitFor(() => expect(heard.length).toBe(1), WAIT)
    await hubs.get(await teller())?.()
    await vi.waitFor(async () => expect(await teller()).not.toBe(''), WAIT)
    await parts.releases.setActive('datasets', 'a', { active: false }, 'anna')
    await vi.waitFor(() => expect(heard.length).toBe(2), WAIT)
    expect(heard.map(({ name }) => name)).toEqual(['flush_logs', 'compile_datasets'])
  }, 30_000)

  test('a hub that is started again tells what it had not told, and nothing twice', async () => {
    const parts = await cluster()
    const { port, server } = await daemon()
    server.close()
    await once(server, 'close')
    const start = () =>
      run(tcpBridge({ nodes: [{ host: '127.0.0.1', port }], secret: SECRET, incoming: parts.incoming }, parts.deps))
    const told = async () => (await parts.store.list('bridge/')).entries.map(({ key, value }) => [key, value])
    let stop = start()
    await vi.waitFor(async () => expect(await told()).toHaveLength(1), WAIT)
    const [before] = await told()
    await parts.releases.setActive('datasets', 'a', { active: false }, 'anna')
    await vi.waitFor(
      () => expect(parts.lines.map((line) => line.message)).toContain('a node of ERDDAPUtil could not be told'),
      WAIT,
    )
    await stop()
    expect(await told()).toEqual([before])
    await changeList(parts.deps, BLOCKED, { add: ['192.0.2.1', '192.0.2.2'] }, 'anna')
    await changeList(parts.deps, BLOCKED, { remove: ['192.0.2.1'] }, 'anna')
    const { heard } = await daemon(port)
    stop = start()
    await vi.waitFor(async () => expect(await told()).not.toEqual([before]), WAIT)
    await stop()
    expect(heard.map(({ name, kwargs }) => [name, kwargs['ip_address'], kwargs['block']])).toEqual([
      ['compile_datasets', undefined, undefined],
      ['manage_ip_block_list', '192.0.2.2', true],
      ['manage_ip_block_list', '192.0.2.1', false],
    ])
    start()
    await parts.releases.request('datasets', { kind: 'flush-logs' }, 'anna')
    await vi.waitFor(() => expect(heard.map(({ name }) => name).slice(3)).toEqual(['flush_logs']), WAIT)
  }, 30_000)

  test('a hub that was away for so long that the store has forgotten what came still tells how it is', async () => {
    const parts = await cluster()
    const { port, heard } = await daemon()
    const options = { nodes: [{ host: '127.0.0.1', port }], secret: SECRET, incoming: parts.incoming }
    // A place in a history that is not there.
    const key = keys.bridge('datasets', encodeURIComponent(`127.0.0.1:${port}`))
    await parts.releases.request('datasets', { kind: 'reload', datasets: ['a'] }, 'anna')
    await changeList(parts.deps, BLOCKED, { add: ['192.0.2.1'] }, 'anna')
    await parts.store.commit({ changes: [{ op: 'put', key, value: JSON.stringify({ revision: 0, release: 0 }) }] })
    const watch: Store['watch'] = (prefix, watching) => {
      if (watching.after === 0) throw new FlotillaError('COMPACTED', 'forgotten')
      return parts.store.watch(prefix, watching)
    }
    const store = storeInstead(parts.store, { watch })
    run(tcpBridge(options, { ...parts.deps, store }))
    const names = ['compile_datasets', 'manage_ip_block_list', 'reload_datasets']
    await vi.waitFor(() => expect(heard.map(({ name }) => name).toSorted()).toEqual(names), WAIT)
  })

  test('its nodes are told what is asked for here, in their words, and nothing that would hang them', async () => {
    const parts = await cluster()
    const { releases, deps, incoming } = parts
    const { port, heard } = await daemon()
    run(tcpBridge({ nodes: [{ host: '127.0.0.1', port }], secret: SECRET, incoming }, deps))
    await vi.waitFor(async () => expect((await parts.store.list('bridge/')).entries).toHaveLength(1), WAIT)
    await incoming.take(message('reload_all_datasets', { flag: 2 }), new AbortController().signal)
    await incoming.take(
      message('manage_ip_block_list', { ip_address: '192.0.2.77', block: true }),
      new AbortController().signal,
    )
    await changeList(deps, BLOCKED, { add: ['2001:db8::/32', '10.0.0.0/8'] }, 'anna')
    await changeList(deps, BLOCKED, { add: ['192.0.2.0/24'] }, 'anna')
    const unlimited = { tree: 'datasets', list: 'ipAddressUnlimited' } as const
    await changeList(deps, unlimited, { add: ['192.0.2.9'] }, 'anna')
    const emails = { tree: 'datasets', list: 'subscriptionEmailBlacklist' } as const
    await changeList(deps, emails, { add: ['a@example.org'] }, 'anna')
    await releases.request('datasets', { kind: 'reload', datasets: ['a'], flag: 'hard' }, 'anna')
    await releases.request('datasets', { kind: 'reload' }, 'anna')
    await releases.request('datasets', { kind: 'clear-cache' }, 'anna')
    await vi.waitFor(() => expect(heard.map(({ name }) => name)).toContain('clear_erddap_cache'), WAIT)
    expect(heard.map(({ name, kwargs }) => [name, kwargs])).toEqual([
      ['manage_ip_block_list', { ip_address: '192.0.2.0/24', block: true, flush: false }],
      ['manage_unlimited_allow_list', { ip_address: '192.0.2.9', allow: true, flush: false }],
      ['manage_email_block_list', { email_address: 'a@example.org', block: true, flush: false }],
      ['reload_datasets', { dataset_id: 'a', flag: 2, flush: false }],
      ['reload_all_datasets', { flag: 0, flush: false }],
      ['clear_erddap_cache', { dataset_id: '' }],
    ])
    expect(parts.lines.filter((line) => /cannot be told of/.test(line.message))).toHaveLength(2)
  })

  test('what one of its nodes refuses holds up nothing that comes after', async () => {
    const parts = await cluster()
    const { port, heard } = await daemon()
    const nodes = [{ host: '127.0.0.1', port }]
    run(tcpBridge({ nodes, secret: SECRET, incoming: parts.incoming }, parts.deps))
    await vi.waitFor(async () => expect((await parts.store.list('bridge/')).entries).toHaveLength(1), WAIT)
    const refused = { kind: 'reload', item: 'refused', author: 'anna', atMs: 0 }
    const key = keys.request('datasets', 'reload', 'refused')
    await parts.store.commit({ changes: [{ op: 'put', key, value: JSON.stringify(refused) }] })
    await parts.releases.request('datasets', { kind: 'flush-logs' }, 'anna')
    await vi.waitFor(() => expect(heard.map(({ name }) => name)).toEqual(['reload_datasets', 'flush_logs']), WAIT)
  })
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
