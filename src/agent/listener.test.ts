import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { MemoryBlobs } from '../../test/helpers/memory-blobs.ts'
import { sendRaw } from '../../test/helpers/raw-http.ts'
import type { Hint } from '../core/bus.ts'
import { FlotillaError } from '../core/errors.ts'
import { silent } from '../core/log.ts'
import { sha256 } from '../lib/hash.ts'
import { Secret } from '../lib/secret.ts'
import { systemClock } from '../lib/system-clock.ts'
import { Listener, type ListenerOptions } from './listener.ts'

const KEY = 'the-key-of-the-cluster'
const BYTES = Buffer.from('a fragment')
const HASH = sha256(BYTES)

interface Listening {
  readonly url: string
  readonly hints: Hint[]
  readonly running: Promise<void>
  readonly stop: () => void
}

async function start(options: Partial<ListenerOptions> = {}): Promise<Listening> {
  const blobs = new MemoryBlobs(systemClock)
  await blobs.put(HASH, BYTES, { limitBytes: 1000 })
  const stop = new AbortController()
  const hints: Hint[] = []
  const { promise, resolve } = Promise.withResolvers<string>()
  const listener = new Listener({
    host: '127.0.0.1',
    port: 0,
    blobs,
    key: async () => new Secret(KEY),
    onHint: (hint) => void hints.push(hint),
    onListening: ({ host, port }) => resolve(`http://${host}:${port}`),
    log: silent,
    ...options,
  })
  const running = listener.run(stop.signal)
  onTestFinished(async () => {
    stop.abort()
    await running
  })
  return { url: await promise, hints, running, stop: () => stop.abort() }
}

interface Sent {
  readonly method?: string
  readonly key?: string | undefined
  readonly body?: string
}

async function send(url: string, path: string, { method = 'GET', key = KEY, body }: Sent = {}): Promise<Response> {
  const headers = key === '' ? {} : { authorization: `Bearer ${key}` }
  return await fetch(`${url}${path}`, { method, headers, ...(body !== undefined && { body }) })
}

async function codeOf(answer: Response): Promise<[number, string]> {
  const { error } = (await answer.json()) as { error: { code: string } }
  return [answer.status, error.code]
}

test('a blob is given to who shows the key', async () => {
  const { url } = await start()
  const answer = await send(url, `/v1/blobs/${HASH}`)
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('application/octet-stream')
  expect(answer.headers.get('content-length')).toBe(String(BYTES.byteLength))
  expect(Buffer.from(await answer.arrayBuffer())).toEqual(BYTES)
})

test('a hint is passed on to who shows the key', async () => {
  const { url, hints } = await start()
  const hint = { prefix: 'desired/datasets', revision: 12 }
  const answer = await send(url, '/v1/hint', { method: 'POST', body: JSON.stringify(hint) })
  expect(answer.status).toBe(204)
  expect(hints).toEqual([hint])
})

test('everything but /healthz needs the key, whether it is there or not', async () => {
  const { url, hints } = await start()
  expect((await send(url, '/healthz', { key: '' })).status).toBe(200)
  const paths = [`/v1/blobs/${HASH}`, '/v1/blobs/x', '/v1/hint', '/', '/healthz/', '/healthz?x', '/v1/store/entries']
  for (const path of paths) {
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS']) {
      for (const key of ['', 'wrong', `${KEY}x`, KEY.slice(0, -1), KEY.toUpperCase()]) {
        const body = method === 'GET' ? {} : { body: '{"prefix":"desired/","revision":1}' }
        const answer = await send(url, path, { method, key, ...body })
        expect([path, method, key, ...(await codeOf(answer))]).toEqual([path, method, key, 401, 'UNAUTHENTICATED'])
      }
    }
  }
  expect((await send(url, '/healthz', { method: 'POST', key: '' })).status).toBe(401)
  expect(hints).toEqual([])
})

test('a key in the URL is no key', async () => {
  const { url } = await start()
  expect((await send(url, `/v1/blobs/${HASH}?token=${KEY}`, { key: '' })).status).toBe(401)
  expect(await codeOf(await send(url, `/v1/blobs/${HASH}?x=1`))).toEqual([404, 'NOT_FOUND'])
})

test('while the key of the cluster is not known nobody gets in', async () => {
  const { url } = await start({ key: async () => undefined })
  expect(await codeOf(await send(url, `/v1/blobs/${HASH}`))).toEqual([503, 'NOT_READY'])
  expect((await send(url, '/healthz')).status).toBe(200)
})

test.for([
  ['a blob that is not held', `/v1/blobs/${'0'.repeat(64)}`, 404, 'NOT_FOUND'],
  ['a path out of the folder', '/v1/blobs/..%2f..%2fetc%2fpasswd', 400, 'BAD_REQUEST'],
  ['a hash in capitals', `/v1/blobs/${HASH.toUpperCase()}`, 400, 'BAD_REQUEST'],
  ['no hash', '/v1/blobs/', 400, 'BAD_REQUEST'],
  ['another path', '/v1/store/entries', 404, 'NOT_FOUND'],
] as const)('%s is refused', async ([, path, status, code]) => {
  const { url } = await start()
  expect(await codeOf(await send(url, path))).toEqual([status, code])
})

test('a raw ".." is no path to a blob', async () => {
  const { url } = await start()
  const head = `Host: x\r\nAuthorization: Bearer ${KEY}\r\nConnection: close\r\n\r\n`
  const { status } = await sendRaw(url, `GET /v1/blobs/../../etc/passwd HTTP/1.1\r\n${head}`)
  expect(status).toBe(404)
})

test.for([
  ['not JSON', 'x', 400],
  ['an array', '[]', 400],
  ['more than a hint', '{"prefix":"a","revision":1,"value":"data"}', 400],
  ['a prototype', '{"__proto__":{"prefix":"a"},"revision":1}', 400],
  ['an endless number', '{"prefix":"a","revision":1e400}', 400],
  ['deep nesting', `${'['.repeat(2000)}${']'.repeat(2000)}`, 400],
  ['too long', JSON.stringify({ prefix: 'a'.repeat(5000), revision: 1 }), 413],
] as const)('a hint that is %s is refused', async ([, body, status]) => {
  const { url, hints } = await start()
  expect((await send(url, '/v1/hint', { method: 'POST', body })).status).toBe(status)
  expect(hints).toEqual([])
})

test.for([
  ['two hosts', 'GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
  ['an absolute target', 'GET http://evil/healthz HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['an unknown transfer coding', 'POST /v1/hint HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n'],
  [
    'a length and chunks',
    'POST /v1/hint HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n',
  ],
  ['no host', 'GET /healthz HTTP/1.1\r\n\r\n'],
  ['a bare line feed', 'GET /healthz HTTP/1.1\nHost: a\n\n'],
] as const)('a request with %s is refused', async ([, bytes]) => {
  const { url } = await start()
  expect((await sendRaw(url, bytes)).status).toBe(400)
})

test('headers beyond all bounds are refused', async () => {
  const { url } = await start()
  const { status } = await sendRaw(url, `GET /healthz HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`)
  expect(status).toBe(431)
})

test('a body that was refused is not taken for the next request', async () => {
  const { url } = await start()
  const inner = 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'
  const outer = `POST /v1/hint HTTP/1.1\r\nHost: a\r\nContent-Length: ${inner.length + 10}\r\n\r\n${inner}`
  const { text, closed } = await sendRaw(url, outer)
  expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 401'])
  expect(closed).toBe(true)
})

test('so many blobs are sent at a time and no more, and a place that is left is taken', async () => {
  let open = 0
  const { promise: gate, resolve: release } = Promise.withResolvers<void>()
  const blobs: ListenerOptions['blobs'] = {
    sizes: async (hashes) => new Map([...hashes].map((hash) => [hash, 4])),
    open: async () => {
      open += 1
      return (async function* () {
        await gate
        yield Buffer.from('data')
      })()
    },
  }
  const { url } = await start({ blobs })
  const eight = Array.from({ length: 8 }, async () => await (await send(url, `/v1/blobs/${HASH}`)).text())
  await expect.poll(() => open).toBe(8)
  const ninth = await send(url, `/v1/blobs/${HASH}`)
  expect(ninth.headers.get('retry-after')).toBe('1')
  expect(await codeOf(ninth)).toEqual([429, 'RATE_LIMITED'])
  release()
  expect(await Promise.all(eight)).toEqual(Array(8).fill('data'))
  expect(await (await send(url, `/v1/blobs/${HASH}`)).text()).toBe('data')
})

test('a receiver that leaves gives its place free', async () => {
  let open = 0
  let closed = 0
  const blobs: ListenerOptions['blobs'] = {
    sizes: async (hashes) => new Map([...hashes].map((hash) => [hash, 2 ** 40])),
    open: async () =>
      (async function* () {
        open += 1
        try {
          for (;;) yield Buffer.alloc(65_536)
        } finally {
          closed += 1
        }
      })(),
  }
  const { url } = await start({ blobs })
  for (let round = 0; round < 10; round++) {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write(`GET /v1/blobs/${HASH} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${KEY}\r\n\r\n`)
    await expect.poll(() => open).toBe(round + 1)
    socket.destroy()
    await expect.poll(() => closed).toBe(round + 1)
  }
})

test('a blob that turns out to be corrupt breaks off: no receiver takes it for whole', async () => {
  const blobs: ListenerOptions['blobs'] = {
    sizes: async (hashes) => new Map([...hashes].map((hash) => [hash, 8])),
    open: async () =>
      (async function* () {
        yield Buffer.from('good')
        throw new FlotillaError('CORRUPT', 'the bytes are not those of the hash')
      })(),
  }
  const { url } = await start({ blobs })
  const answer = await send(url, `/v1/blobs/${HASH}`)
  await expect(answer.arrayBuffer()).rejects.toThrow()
})

test('what goes wrong inside is logged, not told', async () => {
  const lines: unknown[] = []
  const blobs: ListenerOptions['blobs'] = {
    sizes: async () => {
      throw new Error('EIO at /var/lib/flotilla/blobs')
    },
    open: async () => (async function* () {})(),
  }
  const log = { ...silent, error: (_: string, fields?: object) => void lines.push(fields) }
  const { url } = await start({ blobs, log })
  const answer = await send(url, `/v1/blobs/${HASH}`)
  expect(answer.status).toBe(500)
  expect(await answer.text()).not.toContain('/var/lib')
  expect(lines).toMatchObject([{ error: 'EIO at /var/lib/flotilla/blobs' }])
})

test('a port that is taken is told as that', async () => {
  const { url } = await start()
  const second = new Listener({
    host: '127.0.0.1',
    port: Number(new URL(url).port),
    blobs: new MemoryBlobs(systemClock),
    key: async () => undefined,
    onHint: () => undefined,
    onListening: () => undefined,
    log: silent,
  })
  await expect(second.run(new AbortController().signal)).rejects.toMatchObject({ code: 'PORT_TAKEN' })
})

test('when it is stopped it closes what is open and is gone', async () => {
  const { url, running, stop } = await start()
  await (await send(url, '/healthz')).text()
  stop()
  await running
  await expect(send(url, '/healthz')).rejects.toThrow()
})
