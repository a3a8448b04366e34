import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { openTestHub, type TestHub, type TestHubOptions } from '../../test/helpers/hub.ts'
import { HubClient } from '../client/hub-client.ts'
import type { Store } from '../core/store.ts'
import { sha256 } from '../lib/hash.ts'
import { createLogger } from '../lib/log.ts'
import { systemClock } from '../lib/system-clock.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { openRemoteStore } from '../store/remote/remote-store.ts'

const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
})

async function open(options?: TestHubOptions): Promise<TestHub> {
  const hub = await openTestHub(options)
  opened.unshift(hub)
  return hub
}

/** A store that fails where `faults` says so. */
function faulty(faults: Partial<Record<keyof Store, () => unknown>>): Store {
  const inner = new MemoryStore({ clock: systemClock })
  opened.push(inner)
  return new Proxy<Store>(inner, {
    get: (target, name: keyof Store) => {
      const value = target[name].bind(target) as (...args: unknown[]) => unknown
      return (...args: unknown[]) => (faults[name] === undefined ? value(...args) : faults[name]())
    },
  })
}

describe('a hub', () => {
  it('tells whether it runs, and whether its store answers', async () => {
    const faults: { get?: () => unknown } = {}
    const hub = await open({ store: faulty(faults) })
    expect(await hub.ask('GET', '/healthz')).toMatchObject({ status: 200, text: '{"status":"ok"}' })
    expect(await hub.ask('GET', '/readyz')).toMatchObject({ status: 200, text: '{"status":"ready"}' })
    faults.get = () => Promise.reject(new Error('disk on fire'))
    expect(await hub.ask('GET', '/readyz')).toMatchObject({ status: 503, code: 'NOT_READY' })
    faults.get = () => new Promise(() => undefined)
    expect(await hub.ask('GET', '/readyz')).toMatchObject({ status: 503, code: 'NOT_READY' })
    expect((await hub.ask('GET', '/healthz')).status).toBe(200)
  })

  it('says whose port it is when the port is taken', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as AddressInfo
    await expect(open({ port })).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: `127.0.0.1:${port} is taken by another program`,
      details: { hint: expect.stringContaining(`127.0.0.1:${port}`) as string },
    })
    other.close()
  })

  it('hides a fault of its own from the client, and finds it in the log by the number it gave', async () => {
    const faults: { list?: () => unknown } = {}
    const hub = await open({ store: faulty(faults) })
    faults.list = () => Promise.reject(new TypeError('cannot read properties of /etc/x'))
    const answer = await hub.ask('GET', '/v1/nodes', { token: hub.admin })
    expect(answer).toMatchObject({ status: 500, code: 'INTERNAL' })
    expect(answer.text).not.toMatch(/etc|TypeError|at .*\.ts/)
    const requestId = answer.headers.get('x-request-id')
    expect(answer.text).toContain(requestId)
    const line = hub.lines.find(({ level }) => level === 'error')
    expect(line?.fields).toMatchObject({ requestId, error: expect.any(TypeError) as Error })
  })

  it('counts what it does, for Prometheus, by routes and not by paths', async () => {
    const hub = await open()
    const store = openRemoteStore({ url: hub.url, token: hub.admin })
    await store.commit({ changes: [{ op: 'put', key: 'x/a', value: '' }] })
    await hub.client.putBlob(sha256('12345'), Buffer.from('12345'))
    await hub.client.putFile('datasets', 'a.txt', Buffer.from('a=1')).catch(() => undefined)
    await hub.ask('PUT', '/v1/trees/datasets/files/a.txt?kind=lines', { token: hub.admin, body: 'a=1' })
    await hub.node('erd1')
    for (const path of ['/a', '/b', '/c']) await hub.ask('GET', path)
    const { text, headers } = await hub.ask('GET', '/metrics', { token: await hub.token(['read:metrics']) })
    expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    for (const line of [
      'flotilla_commits_total 1',
      'flotilla_watches 0',
      'flotilla_store_up 1',
      `flotilla_store_revision ${(await hub.store.list('')).revision}`,
      'flotilla_nodes{liveness="alive"} 0',
      'flotilla_nodes{liveness="lost"} 1',
      'flotilla_release{tree="datasets"} 1',
      'flotilla_nodes_in_step{tree="datasets"} 0',
      'flotilla_blob_bytes_total{direction="in"} 5',
      'flotilla_requests_total{method="POST",route="/v1/store/commit",status="200"} 1',
      'flotilla_requests_total{method="PUT",route="/v1/trees/:tree/files/*",status="200"} 1',
      'flotilla_requests_total{method="GET",route="none",status="401"} 3',
    ]) {
      expect(text.split('\n')).toContain(line)
    }
    expect(text).toMatch(/^process_resident_memory_bytes \d+$/m)
    await store.close()
  })

  it('keeps two sets of counters apart: nothing is global', async () => {
    const [one, two] = [await open(), await open()]
    await one.ask('GET', '/healthz')
    const page = await two.ask('GET', '/metrics', { token: two.admin })
    expect(page.text).not.toContain('route="/healthz"')
  })

  it('finishes what it has begun when it stops, and takes nothing new', async () => {
    const held = Promise.withResolvers<void>()
    const faults: { list?: () => unknown } = {}
    const hub = await open({ store: faulty(faults) })
    faults.list = async () => {
      await held.promise
      return { entries: [], revision: 1 }
    }
    const answer = hub.client.nodes()
    await delay(50)
    const closing = hub.hub.close()
    await expect(new HubClient({ url: hub.url }).ready()).rejects.toMatchObject({ code: 'UNREACHABLE' })
    held.resolve()
    expect(await answer).toEqual({ nodes: [] })
    await closing
  })

  it('answers what comes over an old connection while it stops with NOT_READY', async () => {
    const held = Promise.withResolvers<void>()
    const faults: { list?: () => unknown } = {}
    const hub = await open({ store: faulty(faults) })
    faults.list = async () => {
      await held.promise
      return { entries: [], revision: 1 }
    }
    const { hostname, port } = new URL(hub.url)
    const socket = connect(Number(port), hostname)
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    const request = `GET /v1/nodes HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${hub.admin.reveal()}\r\n\r\n`
    socket.write(request)
    await delay(50)
    const closing = hub.hub.close()
    socket.write(request)
    await delay(50)
    held.resolve()
    await closing
    await expect.poll(() => text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 503'])
    expect(text).toContain('"NOT_READY"')
  })

  it('does not wait for connections that nobody uses', async () => {
    const hub = await open()
    const { hostname, port } = new URL(hub.url)
    const sockets = Array.from({ length: 5 }, () => connect(Number(port), hostname))
    const closed = sockets.map((socket) => new Promise((resolve) => socket.on('close', resolve).resume()))
    expect((await hub.ask('GET', '/healthz')).status).toBe(200)
    const since = performance.now()
    await hub.hub.close()
    expect(performance.now() - since).toBeLessThan(5000)
    await Promise.all(closed)
  })

  it('does not wait for ever for what does not finish', async () => {
    const faults: { list?: () => unknown } = {}
    const hub = await open({ store: faulty(faults), limits: { closeMs: 200 } })
    faults.list = () => new Promise(() => undefined)
    const answer = hub.client.nodes()
    answer.catch(() => undefined)
    await delay(50)
    delete faults.list
    await hub.hub.close()
    await expect(answer).rejects.toMatchObject({ code: 'UNREACHABLE' })
  })
})

describe('no secret', () => {
  it('comes into the log, an error, a metric or a listing, whatever is done with it', async () => {
    const written: string[] = []
    const hub = await open()
    const log = createLogger({ level: 'debug', name: 'hub', human: false, write: (line) => written.push(line) })
    const secrets: string[] = [hub.admin.reveal()]
    const texts: string[] = []
    const ask = async (method: string, path: string, request: Parameters<TestHub['ask']>[2] = {}): Promise<string> => {
      const answer = await hub.ask(method, path, { token: hub.admin, ...request })
      texts.push(JSON.stringify([...answer.headers]))
      return answer.text
    }
    const made = JSON.parse(await ask('POST', '/v1/tokens', { json: { label: 'x', scopes: ['read:', 'write:'] } })) as {
      token: string
    }
    const { code } = JSON.parse(await ask('POST', '/v1/join-codes')) as { code: string }
    const joined = JSON.parse(await ask('POST', '/v1/join', { json: { code, node: 'n1' } })) as { token: string }
    const second = JSON.parse(await ask('POST', '/v1/join-codes')) as { code: string }
    secrets.push(made.token, joined.token, code, second.code)
    texts.push(
      await ask('POST', '/v1/join', { json: { code: second.code, node: 'n1' } }),
      await ask('POST', '/v1/join', { json: { code: second.code, node: 'N 1' } }),
      await ask('POST', '/v1/join', { json: { code, node: 'n2' } }),
      await ask('POST', '/v1/tokens', { json: { label: made.token, scopes: ['nonsense'] } }),
      await ask('GET', `/v1/whoami?token=${made.token}`),
      await ask('GET', `/v1/trees/${made.token}/releases`),
      await ask('GET', `/${made.token}`, { token: `${made.token}x` }),
      await ask('GET', '/v1/tokens'),
      await ask('GET', '/v1/whoami', { token: made.token }),
      await ask('GET', '/v1/store/entries?prefix=', { token: made.token }),
      await ask('GET', '/v1/nodes'),
      await ask('GET', '/metrics'),
      await ask('DELETE', `/v1/tokens/${made.token.slice(4, 20)}`),
      await ask('GET', '/v1/whoami', { token: made.token }),
    )
    for (const { message, fields } of hub.lines) {
      log.info(message, fields)
      texts.push(message, JSON.stringify(fields))
    }
    expect(hub.lines.length).toBeGreaterThan(15)
    for (const secret of secrets) {
      const canary = secret.startsWith('flt_') ? secret.slice(21) : secret
      for (const text of [...texts, ...written]) expect(text).not.toContain(canary)
    }
  })
})
