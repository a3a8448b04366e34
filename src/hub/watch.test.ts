import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { openTestHub, type TestHub, type TestHubOptions } from '../../test/helpers/hub.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import type { Batch, Store } from '../core/store.ts'
import type { Secret } from '../lib/secret.ts'
import { parseEvents, type ServerSentEvent } from '../lib/sse.ts'
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

function remote(hub: TestHub, token: Secret = hub.admin): Store {
  const store = openRemoteStore({ url: hub.url, token })
  opened.unshift(store)
  return store
}

interface Events {
  readonly status: number
  next(): Promise<ServerSentEvent | undefined>
  stop(): void
}

/** A watch as a browser would hold it. */
async function events(hub: TestHub, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Events> {
  const stop = new AbortController()
  const answer = await fetch(`${hub.url}${path}`, {
    headers: { authorization: `Bearer ${hub.admin.reveal()}`, ...headers },
    signal: stop.signal,
  })
  opened.unshift({ close: async () => stop.abort() })
  const reader = parseEvents(answer.body as unknown as AsyncIterable<Uint8Array>, 1_000_000)
  return {
    status: answer.status,
    next: async () => (await reader.next()).value ?? undefined,
    stop: () => stop.abort(),
  }
}

const put = (store: Store, ...keys: readonly string[]) =>
  store.commit({ changes: keys.map((key) => ({ op: 'put', key, value: key })) })

const revisionOf = async (store: Store): Promise<number> => (await store.list('')).revision

describe('a watch', () => {
  it('goes on after the revision in `after`, or in Last-Event-ID when there is one', async () => {
    const hub = await open()
    const base = await revisionOf(hub.store)
    for (const key of ['x/1', 'x/2', 'x/3']) await put(hub.store, key)
    const first = await events(hub, `/v1/store/watch?prefix=x/&after=${base}`)
    expect(await first.next()).toMatchObject({ event: 'batch', id: String(base + 1) })
    const resumed = await events(hub, `/v1/store/watch?prefix=x/&after=${base}`, { 'last-event-id': String(base + 2) })
    const event = await resumed.next()
    expect(event).toMatchObject({ event: 'batch', id: String(base + 3) })
    expect((JSON.parse(event?.data ?? '') as Batch).changes).toEqual([
      { op: 'put', entry: { key: 'x/3', value: 'x/3', revision: base + 3 } },
    ])
    const only = await events(hub, '/v1/store/watch?prefix=x/', { 'last-event-id': String(base + 2) })
    expect(await only.next()).toMatchObject({ id: String(base + 3) })
  })

  it('without a place to start, or with a place that is none, is refused', async () => {
    const hub = await open()
    for (const query of [
      'prefix=x/',
      'after=0',
      'prefix=x/&after=-1',
      'prefix=x/&after=1.5',
      'prefix=x/&after=01',
      'prefix=a%20b&after=0',
      'prefix=x/&after=9007199254740993',
      'prefix=x/&after=0&more=1',
    ]) {
      expect(await hub.ask('GET', `/v1/store/watch?${query}`, { token: hub.admin })).toMatchObject({ status: 400 })
    }
  })

  it('tells that its place is compacted as its last event', async () => {
    const store = new MemoryStore({ clock: systemClock, keepRevisions: 3 })
    const hub = await open({ store })
    for (let index = 0; index < 9; index++) await put(store, 'x/1')
    const watch = await events(hub, '/v1/store/watch?prefix=x/&after=1')
    expect(await watch.next()).toMatchObject({ event: 'error', data: expect.stringContaining('"COMPACTED"') as string })
    expect(await watch.next()).toBeUndefined()
  })

  it('shows what the token may read, and nothing of the rest', async () => {
    const hub = await open()
    const base = await revisionOf(hub.store)
    const store = remote(hub, await hub.token(['read:a/', 'read:c/x']))
    await put(hub.store, 'a/1', 'b/1', 'c/x', 'c/xy', 'token/hidden')
    await put(hub.store, 'b/2')
    await put(hub.store, 'c/x/y', 'token/hidden')
    const signal = new AbortController().signal
    const seen: string[][] = []
    for await (const { changes } of store.watch('', { after: base, signal })) {
      seen.push(changes.map((change) => (change.op === 'put' ? change.entry.key : change.key)))
      if (seen.length === 2) break
    }
    expect(seen).toEqual([['a/1', 'c/x'], ['c/x/y']])
    expect((await store.list('')).entries.map(({ key }) => key)).toEqual(['a/1', 'c/x', 'c/x/y'])
    expect((await store.list('c/x')).entries.map(({ key }) => key)).toEqual(['c/x', 'c/x/y'])
    const admin = remote(hub)
    expect((await admin.list('')).entries.map(({ key }) => key)).toEqual(['a/1', 'b/1', 'b/2', 'c/x', 'c/x/y', 'c/xy'])
  })

  it('of several prefixes needs a right under each', async () => {
    const hub = await open()
    const base = await revisionOf(hub.store)
    const path = (also: string): string => `/v1/store/watch?prefix=a/&also=${also}&after=${base}`
    const token = await hub.token(['read:a/', 'read:b/'])
    expect(await hub.ask('GET', path('c/'), { token })).toMatchObject({ status: 403 })
    expect(await hub.ask('GET', path('b/&also=token/'), { token })).toMatchObject({ status: 403 })
    await put(hub.store, 'a/1', 'b/1', 'c/1')
    await put(hub.store, 'c/2')
    await put(hub.store, 'b/2')
    const watch = await events(hub, path('b/'))
    const keysOf = (data = ''): readonly unknown[] =>
      (JSON.parse(data) as Batch).changes.map((change) => change.op === 'put' && change.entry.key)
    expect(keysOf((await watch.next())?.data)).toEqual(['a/1', 'b/1'])
    expect(keysOf((await watch.next())?.data)).toEqual(['b/2'])
  })

  it('says something at least every heartbeat, so that silence means that the connection is dead', async () => {
    const clock = new VirtualClock()
    const hub = await open({ clock, limits: { heartbeatMs: 1000 } })
    const { hostname, port } = new URL(hub.url)
    const socket = connect(Number(port), hostname)
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    socket.write(
      `GET /v1/store/watch?prefix=x/&after=0 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${hub.admin.reveal()}\r\n\r\n`,
    )
    await expect.poll(() => text).toContain('text/event-stream')
    const before = text.length
    await clock.advance(3000)
    await expect.poll(() => text.slice(before).match(/: \n\n/g)?.length).toBe(3)
    socket.destroy()
    await expect.poll(() => hub.client.ready().then(() => watches(hub))).toBe(0)
  })

  it('more than a token may have ends its oldest, and the hub has a limit for all', async () => {
    const hub = await open({ limits: { watchesPerToken: 2, watches: 3 } })
    const path = '/v1/store/watch?prefix=x/&after=0'
    const [first, second] = [await events(hub, path), await events(hub, path)]
    const third = await events(hub, path)
    expect(await first.next()).toMatchObject({
      event: 'error',
      data: expect.stringContaining('RATE_LIMITED') as string,
    })
    await put(hub.store, 'x/1')
    for (const open of [second, third]) expect(await open.next()).toMatchObject({ event: 'batch' })
    const other = await hub.token(['read:x/'])
    const authorization = `Bearer ${other.reveal()}`
    await events(hub, path, { authorization })
    const one = await hub.token(['read:x/'])
    expect(await hub.ask('GET', path, { token: one })).toMatchObject({ status: 429, code: 'RATE_LIMITED' })
    second.stop()
    third.stop()
    await expect.poll(() => watches(hub)).toBe(1)
  })

  it('waits for a slow reader without heaping up what it has not read, and cuts one that takes nothing', async () => {
    const store = new MemoryStore({ clock: systemClock, keepRevisions: 100_000, keepBytes: 1e9 })
    const hub = await open({ store, limits: { stalledMs: 1500 } })
    const { hostname, port } = new URL(hub.url)
    const socket = connect(Number(port), hostname)
    const closed = new Promise((resolve) => socket.on('close', resolve))
    socket.on('error', () => undefined)
    socket.write(
      `GET /v1/store/watch?prefix=x/&after=0 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${hub.admin.reveal()}\r\n\r\n`,
    )
    socket.pause()
    const value = 'v'.repeat(500_000)
    for (let index = 0; index < 60; index++) await store.commit({ changes: [{ op: 'put', key: 'x/big', value }] })
    await expect.poll(() => watches(hub)).toBe(1)
    await expect.poll(() => watches(hub), { timeout: 10_000 }).toBe(0)
    socket.resume()
    await closed
    await store.close()
  })

  it('that is ended while its reader is behind is cut off: nothing of it is kept for a reader that takes nothing', async () => {
    const hub = await open({ limits: { watchesPerToken: 1 } })
    await hub.store.commit({ changes: [{ op: 'put', key: 'x/big', value: 'v'.repeat(1_000_000) }] })
    for (let index = 0; index < 30; index++) {
      await hub.store.commit({ changes: [{ op: 'put', key: 'x/big', value: 'v'.repeat(1_000_000) }] })
    }
    const { hostname, port } = new URL(hub.url)
    const sockets = Array.from({ length: 10 }, () => {
      const socket = connect(Number(port), hostname)
      opened.unshift({ close: async () => void socket.destroy() })
      socket.on('error', () => undefined)
      socket.pause()
      socket.write(
        `GET /v1/store/watch?prefix=x/&after=0 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${hub.admin.reveal()}\r\n\r\n`,
      )
      return socket
    })
    const connections = () =>
      new Promise<number>((resolve) => hub.hub.app.server.getConnections((_, count) => resolve(count)))
    await expect.poll(() => sockets.every(({ readyState }) => readyState === 'open')).toBe(true)
    // One watch for its one place, and the connection of whoever asks.
    await expect.poll(connections, { timeout: 5000 }).toBeLessThanOrEqual(2)
  })

  it('ends when the hub stops, with a word about it, and goes on at another without missing anything', async () => {
    const store = new MemoryStore({ clock: systemClock })
    const hub = await open({ store })
    const base = await revisionOf(store)
    const watch = remote(hub).watch('x/', { after: base, signal: new AbortController().signal })
    const reader = watch[Symbol.asyncIterator]()
    const first = reader.next()
    await put(store, 'x/1')
    expect((await first).value).toMatchObject({ revision: base + 1 })
    const next = reader.next()
    next.catch(() => undefined)
    await hub.hub.close()
    await expect(next).rejects.toMatchObject({ code: 'UNREACHABLE' })
    await put(store, 'x/2')
    const again = await open({ store, admin: hub.admin })
    const resumed = remote(again).watch('x/', { after: base + 1, signal: new AbortController().signal })
    for await (const batch of resumed) {
      expect(batch.revision).toBe(base + 2)
      break
    }
    opened.push(store)
  })
})

async function watches(hub: TestHub): Promise<number> {
  const { text } = await hub.ask('GET', '/metrics', { token: hub.admin })
  return Number(/^flotilla_watches (\d+)$/m.exec(text)?.[1])
}
