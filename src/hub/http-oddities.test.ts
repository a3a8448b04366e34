import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTestHub, type TestHub } from '../../test/helpers/hub.ts'
import { sendRaw } from '../../test/helpers/raw-http.ts'
import { sha256 } from '../lib/hash.ts'

let hub: TestHub
let good: string
beforeAll(async () => {
  hub = await openTestHub({
    limits: { headersMs: 400, requestMs: 1200, idleMs: 1500, headerBytes: 8192, connections: 40 },
    hostNames: ['Hub.Example.org'],
  })
  good = `Host: 127.0.0.1\r\nAuthorization: Bearer ${hub.admin.reveal()}\r\n`
})
afterAll(() => hub.close())

const get = (
  headers: string,
  target = '/v1/whoami',
  version = '1.1',
): Promise<{ status: number; text: string; closed: boolean }> =>
  sendRaw(hub.url, `GET ${target} HTTP/${version}\r\nConnection: close\r\n${headers}\r\n`)

const post = (headers: string, body: string): Promise<{ status: number; text: string; closed: boolean }> =>
  sendRaw(
    hub.url,
    `POST /v1/store/commit HTTP/1.1\r\n${good}Connection: close\r\nContent-Type: application/json\r\n${headers}\r\n${body}`,
  )

const COMMIT = '{"changes":[]}'

describe('a request that is ambiguous', () => {
  it('is taken when it is not', async () => {
    expect((await get(good)).status).toBe(200)
    expect((await post(`Content-Length: ${COMMIT.length}\r\n`, COMMIT)).status).toBe(200)
    expect((await post('Transfer-Encoding: chunked\r\n', `e\r\n${COMMIT}\r\n0\r\n\r\n`)).status).toBe(200)
  })

  it.each([
    ['two Hosts', `Host: 127.0.0.1\r\n`],
    ['two Hosts, one of them evil', `host: evil.example\r\n`],
    ['two tokens', `Authorization: Bearer x\r\n`],
    ['two content types', `Content-Type: text/plain\r\ncontent-type: application/json\r\n`],
    ['a transfer coding nobody knows', 'Transfer-Encoding: xchunked\r\n'],
    ['a space before the colon', 'X-Odd : 1\r\n'],
    ['a folded header', 'X-Odd: 1\r\n 2\r\n'],
    ['a bare line feed', 'X-Odd: 1\nX-Even: 2\r\n'],
    ['a NUL in a header', 'X-Odd: a\0b\r\n'],
    ['two lengths', 'Content-Length: 2\r\nContent-Length: 3\r\n'],
    ['a negative length', 'Content-Length: -1\r\n'],
    ['a length and chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'],
  ])('has %s: 400', async (_what, headers) => {
    expect((await get(good + headers)).status).toBe(400)
  })

  it.each([
    ['lengths and chunks', `Content-Length: 4\r\nTransfer-Encoding: chunked\r\n`, `e\r\n${COMMIT}\r\n0\r\n\r\n`],
    ['chunked twice', 'Transfer-Encoding: chunked, chunked\r\n', `e\r\n${COMMIT}\r\n0\r\n\r\n`],
    ['chunked before something else', 'Transfer-Encoding: chunked, identity\r\n', `e\r\n${COMMIT}\r\n0\r\n\r\n`],
    ['a chunk size that is no number', 'Transfer-Encoding: chunked\r\n', `zz\r\n${COMMIT}\r\n0\r\n\r\n`],
    ['a chunk size beyond all bounds', 'Transfer-Encoding: chunked\r\n', `ffffffffffffffffff\r\n${COMMIT}\r\n`],
    ['a compressed body', `Content-Encoding: gzip\r\nContent-Length: ${COMMIT.length}\r\n`, COMMIT],
  ])('has a body with %s: 400, and nothing is committed', async (_what, headers, body) => {
    const { revision } = await hub.store.list('')
    expect((await post(headers, body)).status).toBe(400)
    expect((await hub.store.list('')).revision).toBe(revision)
  })

  it('smuggles no second request behind the first', async () => {
    const hidden = `DELETE /v1/nodes/erd1 HTTP/1.1\r\n${good}\r\n`
    const { text } = await post(
      `Content-Length: ${COMMIT.length}\r\nTransfer-Encoding: chunked\r\n`,
      `0\r\n\r\n${hidden}`,
    )
    expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1)
  })
})

describe('a request target', () => {
  it.each(['http://evil.example/v1/whoami', 'http://127.0.0.1/v1/whoami', '*', 'v1/whoami', 'evil.example:443'])(
    'that is %s and not a path is refused',
    async (target) => {
      expect((await get(good, target)).status).toBe(400)
    },
  )

  it('with a token in its query is refused, before anything else is looked at', async () => {
    const token = hub.admin.reveal()
    for (const query of [`token=${token}`, `access_token=x`, `x=${token}`, 'apiKey=1', 'Authorization=x']) {
      const { status, text } = await get('Host: localhost\r\n', `/v1/whoami?${query}`)
      expect(status).toBe(400)
      expect(text).not.toContain(token)
    }
  })

  it('that is longer than the headers may be is refused', async () => {
    const { status, text } = await get(good, `/v1/store/entry?key=${'x'.repeat(9000)}`)
    expect(status).toBe(431)
    expect(text).toContain('"code":"TOO_LARGE"')
  })

  it('that cannot be decoded is 400', async () => {
    for (const target of ['/v1/nodes/%zz', '/v1/nodes/%c0%ae', '/v1/nodes/%ff']) {
      expect((await sendRaw(hub.url, `DELETE ${target} HTTP/1.1\r\n${good}\r\n`)).status).toBe(400)
    }
  })

  it('with a method that is none, or a version that is none, is 400', async () => {
    expect((await sendRaw(hub.url, `GRAB /healthz HTTP/1.1\r\n${good}\r\n`)).status).toBe(400)
    expect((await get(good, '/healthz', '9.9')).status).toBe(400)
    expect((await sendRaw(hub.url, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello')).status).toBe(400)
    expect((await sendRaw(hub.url, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')).status).toBe(400)
  })
})

const hosts = async (host: string): Promise<number> => (await get(`Host: ${host}\r\n`, '/healthz')).status

describe('the Host header', () => {
  it('may be any address, localhost, and names the hub was told', async () => {
    for (const host of [
      '127.0.0.1',
      '127.0.0.1:8470',
      '10.1.2.3:80',
      '[::1]',
      '[::1]:8470',
      'localhost:1',
      'hub.example.org',
      'HUB.example.ORG:443',
    ]) {
      expect([host, await hosts(host)]).toEqual([host, 200])
    }
  })

  it('may not be a name that somebody else made point here', async () => {
    for (const host of [
      'evil.example',
      'evil.example:80',
      'localhost.evil.example',
      'hub.example.org.evil.example',
      '127.0.0.1.evil.example',
      'a b',
      '127.0.0.1@evil',
      '',
      '[::1',
      '127.0.0.1:99999999',
    ]) {
      expect([host, await hosts(host)]).toEqual([host, 400])
    }
    expect((await get('', '/healthz', '1.0')).status).toBe(400)
    expect((await get('', '/healthz')).status).toBe(400)
  })

  it('is checked before the token is looked at, and on routes that need none', async () => {
    expect((await get('Host: evil.example\r\n', '/v1/join')).status).toBe(400)
    expect((await get('Host: evil.example\r\n', '/nothing')).status).toBe(400)
  })
})

describe('headers of proxies', () => {
  it('change nothing: the address that joins are counted by is that of the connection', async () => {
    const body = JSON.stringify({ code: 'AAAA-AAAA-AAAA', node: 'x' })
    for (let index = 0; index < 12; index++) {
      await hub.ask('POST', '/v1/join', {
        body,
        headers: {
          'content-type': 'application/json',
          'x-forwarded-for': `10.0.0.${index}`,
          'x-real-ip': `10.0.0.${index}`,
        },
      })
    }
    const last = await hub.ask('POST', '/v1/join', {
      body,
      headers: { 'content-type': 'application/json', 'x-forwarded-for': '10.9.9.9' },
    })
    expect(last.code).toBe('RATE_LIMITED')
  })
})

function held(start: string): Promise<{ readonly ms: number; readonly text: string }> {
  const { hostname, port } = new URL(hub.url)
  const since = performance.now()
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname)
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    socket.on('close', () => resolve({ ms: performance.now() - since, text }))
    socket.on('error', () => undefined)
    socket.write(start)
    void drip(socket)
  })
}

async function drip(socket: Socket): Promise<void> {
  while (!socket.destroyed) {
    await delay(100)
    if (socket.writable) socket.write('a')
  }
}

describe('a client that sends on after it was refused', () => {
  it('gets its answer, and is cut off after a while', async () => {
    // With the time that requests usually have: it is not the time-out that ends this one.
    const patient = await openTestHub()
    const { hostname, port } = new URL(patient.url)
    const socket = connect(Number(port), hostname)
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    socket.on('error', () => undefined)
    const closed = new Promise((resolve) => socket.on('close', resolve))
    socket.write(`PUT /v1/blobs/${'a'.repeat(64)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n`)
    while (!socket.destroyed) {
      if (!socket.write(Buffer.alloc(65_536)))
        await Promise.race([once(socket, 'drain'), closed]).catch(() => undefined)
    }
    await closed
    expect(text).toContain('401 Unauthorized')
    expect(socket.bytesWritten).toBeLessThan(100_000_000)
    await patient.close()
  })
})

describe('a client that is slow on purpose', () => {
  it('with its headers is cut off', async () => {
    const { text } = await held('GET /healthz HTTP/1.1\r\nX-Slow: ')
    expect(text).toContain('408 Request Timeout')
  })

  it('with its body is cut off, and others are served meanwhile', async () => {
    const slow = held(`PUT /v1/blobs/${'a'.repeat(64)} HTTP/1.1\r\n${good}Content-Length: 100000\r\n\r\n`)
    expect((await get(good)).status).toBe(200)
    const { ms } = await slow
    expect(ms).toBeLessThan(10_000)
  })

  it('without a word is cut off', async () => {
    const { hostname, port } = new URL(hub.url)
    const sockets = Array.from({ length: 20 }, () => connect(Number(port), hostname).on('error', () => undefined))
    const closed = sockets.map((socket) => new Promise((resolve) => socket.on('close', resolve)))
    expect((await get(good)).status).toBe(200)
    for (const socket of sockets) socket.resume()
    await Promise.all(closed)
  })

  it('with reading its answer is cut off', async () => {
    const content = Buffer.alloc(32 * 1024 * 1024, 'x')
    const hash = sha256(content)
    await hub.client.putBlob(hash, content)
    const ended = new Promise((resolve) => {
      hub.hub.app.server.once('connection', (socket: Socket) => socket.once('close', resolve))
    })
    const { hostname, port } = new URL(hub.url)
    const socket = connect(Number(port), hostname).on('error', () => undefined)
    socket.pause()
    socket.write(`GET /v1/blobs/${hash} HTTP/1.1\r\n${good}\r\n`)
    await ended
    socket.destroy()
  })

  it('that never closes its own end holds no connection, whatever it sent', async () => {
    const patient = await openTestHub({ limits: { headersMs: 400 } })
    let closed = 0
    patient.hub.app.server.on('connection', (socket: Socket) => socket.once('close', () => (closed += 1)))
    const { hostname, port } = new URL(patient.url)
    const texts = ['', 'GET / HTTP/1.1\r\n', 'nonsense\r\n\r\n', `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}`]
    const sockets = texts.map((text) => {
      const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
      socket.on('error', () => undefined).write(text)
      return socket.resume()
    })
    await expect.poll(() => closed, { timeout: 5000 }).toBe(texts.length)
    for (const socket of sockets) socket.destroy()
    await patient.close()
  })

  it('finds no more connections than there are, and leaves them to others when it goes', async () => {
    const { hostname, port } = new URL(hub.url)
    const sockets = Array.from({ length: 60 }, () => connect(Number(port), hostname).on('error', () => undefined))
    await expect
      .poll(() => sockets.filter(({ destroyed, readableEnded }) => destroyed || readableEnded).length, {
        timeout: 5000,
      })
      .toBeGreaterThanOrEqual(15)
    for (const socket of sockets) socket.destroy()
    await expect.poll(() => get(good).then(({ status }) => status)).toBe(200)
  })
})
