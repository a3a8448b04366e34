import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcp } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { FRAME, PEER_HEADER, PEER_PATH } from '../core/files/peer-wire.ts'
import { ABORT_FRAME, OPERATION_FRAME } from '../core/push/wire.ts'
import type { PutOperation } from '../core/push/operation.ts'
import type { FlotillaError } from '../core/errors.ts'
import { systemClock } from '../lib/system-clock.ts'
import { Secret } from '../lib/secret.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { HttpChild } from './child-http.ts'

const closing: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

interface Frame {
  readonly kind: number
  readonly count: number
  readonly content: Buffer
}

async function framesIn(body: AsyncIterable<Uint8Array>): Promise<readonly Frame[]> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  const frames: Frame[] = []
  for (let at = 0; at < bytes.byteLength;) {
    const kind = bytes.readUInt32LE(at)
    const count = bytes.readUInt32LE(at + 4)
    const length = kind === FRAME.bytes || kind === OPERATION_FRAME ? count : 0
    frames.push({ kind, count, content: bytes.subarray(at + 8, at + 8 + length) })
    at += 8 + length
  }
  return frames
}

async function serve(answer: RequestListener): Promise<{ readonly url: string; readonly server: Server }> {
  const server = createServer(answer)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

function json(handle: (request: IncomingMessage) => Promise<unknown>): RequestListener {
  return (request, response) => {
    void (async () => {
      const answer = await handle(request)
      response.setHeader(PEER_HEADER, '1')
      response.end(JSON.stringify(answer))
    })()
  }
}

interface Options {
  readonly silenceMs?: number
  readonly clock?: VirtualClock
  readonly token?: string
  readonly keyFile?: string
}

function childOf(url: string, options: Options = {}): HttpChild {
  const { clock = systemClock, token, silenceMs, keyFile } = options
  const key = token === undefined ? undefined : new Secret(token)
  const child = new HttpChild({ url, tree: 'music', clock, key, keyFile, silenceMs })
  closing.push(async () => child.close())
  return child
}

const put = (key: string, size: number): PutOperation => ({
  key,
  size,
  version: { epoch: 1, sequence: 1 },
  modifiedMs: 5,
  etag: 'e',
  sha256: 'a'.repeat(64),
})

async function* chunks(...some: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void> {
  yield* some
}

test('operations go as frames, with contents, deletions and offers, to the tree that the URL names, with the key', async () => {
  const seen: { url: string | undefined; authorization: string | undefined; frames: readonly Frame[] }[] = []
  const { url } = await serve(
    json(async (request) => {
      const { authorization } = request.headers
      seen.push({ url: request.url, authorization, frames: await framesIn(request) })
      return [{ result: 'applied', isDeep: true }, { result: 'same' }, { result: 'wanted' }, { result: 'older' }]
    }),
  )
  const child = childOf(`${url}/other/`, { token: 'the key' })
  const big = Buffer.alloc(300_000, 'x')
  const outcomes = await child.operations(
    [
      { operation: put('a', 300_000), bytes: big },
      { operation: { key: 'b', version: { epoch: 1, sequence: 2 }, gone: true } },
      { operation: put('c', 7) },
      { operation: put('d', 0), bytes: new Uint8Array(0) },
    ],
    { deepMs: 1500 },
  )
  expect(outcomes).toEqual([
    { result: 'applied', isDeep: true },
    { result: 'same' },
    { result: 'wanted' },
    { result: 'older' },
  ])
  const [{ frames, ...head } = { frames: [] }] = seen
  expect(head).toEqual({
    url: `${PEER_PATH}trees/other/push-ops?deep=1&wait=1500`,
    authorization: 'Bearer the key',
  })
  expect(frames.map(({ kind }) => kind)).toEqual([1, 1, 1, 1, 1, 1, 255])
  expect(JSON.parse(frames[0]!.content.toString())).toEqual(put('a', 300_000))
  expect(frames[1]!.content.equals(big)).toBe(true)
  expect(JSON.parse(frames[2]!.content.toString())).toMatchObject({ key: 'b', gone: true })
  expect(JSON.parse(frames[3]!.content.toString())).toEqual({ ...put('c', 7), offer: true })
  expect(frames[5]!.content.byteLength).toBe(0)
  expect(frames[6]!.count).toBe(4)
  expect(child.url).toBe(`${url}/other`)
})

test('a body goes in frames of at most 1 MiB, then its operation and an end; one that came to nothing is called off', async () => {
  const bodies: { url: string | undefined; frames: readonly Frame[] }[] = []
  const { url } = await serve(
    json(async (request) => {
      bodies.push({ url: request.url, frames: await framesIn(request) })
      return { result: 'applied' }
    }),
  )
  const child = childOf(url)
  const long = { key: 'ä b', id: 'id-1', from: 7 }
  const bytes = Buffer.alloc(2_500_000, 'y')
  await child.body({ ...long, chunks: chunks(bytes, Buffer.from('end')), operation: async () => put('ä b', 1) }, {})
  await child.body({ ...long, chunks: chunks(Buffer.from('half')), operation: async () => undefined }, {})
  const [first, second] = bodies
  expect(first!.url).toBe(`${PEER_PATH}trees/music/push-body?key=%C3%A4%20b&id=id-1&from=7`)
  expect(first!.frames.map(({ kind, count }) => [kind, kind === OPERATION_FRAME ? 0 : count])).toEqual([
    [1, 1024 * 1024],
    [1, 1024 * 1024],
    [1, 2_500_000 - 2 * 1024 * 1024],
    [1, 3],
    [OPERATION_FRAME, 0],
    [255, 0],
  ])
  expect(second!.frames.at(-1)!.kind).toBe(ABORT_FRAME)
})

test('while nothing comes from the writer, the child hears that the parent lives', async () => {
  const clock = new VirtualClock()
  const got: Buffer[] = []
  const { url } = await serve(
    json(async (request) => {
      for await (const chunk of request) got.push(chunk as Buffer)
      return { result: 'applied' }
    }),
  )
  const writer = Promise.withResolvers<void>()
  const slow = async function* (): AsyncGenerator<Uint8Array, void> {
    yield Buffer.from('first')
    await writer.promise
  }
  const sent = childOf(url, { clock }).body(
    { key: 'k', id: 'i', from: 0, chunks: slow(), operation: async () => put('k', 5) },
    {},
  )
  const bytes = (): number => Buffer.concat(got).byteLength
  await expect.poll(bytes).toBe(13)
  await clock.advance(10_000)
  await expect.poll(bytes).toBe(21)
  await clock.advance(10_000)
  await expect.poll(bytes).toBe(29)
  expect(Buffer.concat(got).readUInt32LE(17)).toBe(0)
  writer.resolve()
  expect(await sent).toEqual({ result: 'applied' })
})

test('memory stays constant: no chunk is asked for before the one before it is on its way, and none when the child reads nothing', async () => {
  const server = createTcp((socket) => socket.pause())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sockets: { destroy(): void }[] = []
  server.on('connection', (socket) => sockets.push(socket))
  closing.push(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  const buffer = Buffer.alloc(256 * 1024)
  let asked = 0
  const endless = async function* (): AsyncGenerator<Uint8Array, void> {
    for (;;) {
      asked++
      yield buffer
    }
  }
  const child = childOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { silenceMs: 300 })
  const sending = child.body({ key: 'k', id: 'i', from: 0, chunks: endless(), operation: async () => undefined }, {})
  await expect(sending).rejects.toMatchObject({ code: 'UNREACHABLE', message: expect.stringContaining('0.3 s') })
  // What the system holds for a socket, not what a fast producer could make in that time.
  expect(asked).toBeLessThan(200)
})

test('a child that takes everything and never answers is given up, at each call', async () => {
  const { url } = await serve((request) => request.resume())
  const child = childOf(url, { silenceMs: 100 })
  const calls = [
    child.hello({ from: 'a', name: 'b', lineage: 'c', above: ['a'] }, {}),
    child.operations([{ operation: put('a', 1), bytes: Buffer.from('1') }], {}),
    child.partBytes('id', {}),
    child.body(
      { key: 'k', id: 'i', from: 0, chunks: chunks(Buffer.from('1')), operation: async () => put('k', 1) },
      {},
    ),
    child.sums('', {}),
    child.rows({ prefix: '', buckets: [], after: '', limit: 1 }, {}),
  ]
  for (const call of await Promise.allSettled(calls)) {
    expect(call).toMatchObject({ status: 'rejected', reason: { code: 'UNREACHABLE' } })
  }
})

test('what a child says of who else feeds it, and of what is below it, arrives, and is looked at', async () => {
  const answers: unknown[] = []
  const { url } = await serve(json(async () => answers.shift()))
  const child = childOf(url)
  const hello = { from: 'a', name: 'b', lineage: 'c', above: ['a'] }
  answers.push({ id: 'x', heard: ['p', 'q'], isRoot: true, below: { error: 'leaf: LOOP', isRefusal: true } })
  expect(await child.hello(hello, {})).toEqual({
    id: 'x',
    heard: ['p', 'q'],
    isRoot: true,
    below: { error: 'leaf: LOOP', isRefusal: true },
  })
  answers.push({ id: 'x', heard: ['p', '\n', 7], below: { error: `a\nb${'c'.repeat(1000)}` } })
  const odd = await child.hello(hello, {})
  expect(odd.heard).toEqual(['p'])
  expect(odd.below).toMatchObject({ error: expect.stringMatching(/^a\\u000abc+$/), isRefusal: false })
  expect(odd.below!.error.length).toBeLessThan(600)
  answers.push({ id: 'x', heard: 'p', below: { error: '' } })
  expect(await child.hello(hello, {})).toEqual({ id: 'x' })
})

test('a key that is not taken is told with what has to be done, which file and which line', async () => {
  const { url } = await serve((_, response) => {
    response.writeHead(401, { [PEER_HEADER]: '1', 'content-type': 'application/json' })
    response.end(JSON.stringify({ error: { code: 'UNAUTHENTICATED', message: 'Invalid API key' } }))
  })
  const { host } = new URL(url)
  const hello = { from: 'a', name: 'b', lineage: 'c', above: ['a'] }
  const hinted = async (options: Options): Promise<unknown> =>
    await childOf(url, options)
      .hello(hello, {})
      .catch((error: FlotillaError) => [error.code, error.details.hint])
  const line = 'KEY parent music'
  expect(await hinted({ token: 'wrong', keyFile: '/etc/child-key' })).toEqual([
    'UNAUTHENTICATED',
    `The file of API keys at ${host} needs a line with the key that is in /etc/child-key here: ${line}`,
  ])
  expect(await hinted({ token: 'wrong' })).toEqual(['UNAUTHENTICATED', expect.stringContaining(line)])
  expect(await hinted({})).toEqual(['UNAUTHENTICATED', expect.stringContaining('--child-key-file')])
})

test('an answer that is no answer counts as none', async () => {
  const answers: unknown[] = []
  const { url } = await serve(json(async () => answers.shift()))
  const child = childOf(url)
  const one = [{ operation: put('a', 1), bytes: Buffer.from('1') }]
  const bad: readonly unknown[] = [
    null,
    [],
    {},
    'ok',
    [{ result: 'fine' }],
    [{ result: 'applied' }, { result: 'applied' }],
    [null],
    [{ result: 'failed' }],
  ]
  for (const answer of bad) {
    answers.push(answer)
    await expect(child.operations(one, {})).rejects.toMatchObject({ code: 'UNREACHABLE' })
  }
  answers.push({ bytes: -1 }, { id: 7 }, ['a'], [{ key: '', content: 'x' }])
  await expect(child.partBytes('id', {})).rejects.toMatchObject({ code: 'UNREACHABLE' })
  const hello = { from: 'a', name: 'b', lineage: 'c', above: ['a'] }
  await expect(child.hello(hello, {})).rejects.toMatchObject({ code: 'UNREACHABLE' })
  await expect(child.sums('', {})).rejects.toMatchObject({ code: 'UNREACHABLE' })
  await expect(child.rows({ prefix: '', buckets: [], after: '', limit: 9 }, {})).rejects.toMatchObject({
    code: 'UNREACHABLE',
  })
})

test('HTML with status 200, as of a proxy in between, is no answer', async () => {
  const { url } = await serve((_, response) => response.end('<html>ok</html>'))
  await expect(childOf(url).partBytes('id', {})).rejects.toMatchObject({ code: 'UNREACHABLE' })
})

test('what the child says is what is thrown, also before everything was sent, and the connection goes on', async () => {
  let isFirst = true
  const { url } = await serve((request, response) => {
    response.setHeader(PEER_HEADER, '1')
    if (!isFirst) {
      response.end('{"bytes":3}')
      return
    }
    isFirst = false
    response.writeHead(409)
    response.end(JSON.stringify({ error: { code: 'FED_BY_ANOTHER', message: 'no', hint: 'ask' } }))
    request.resume()
  })
  const child = childOf(url)
  const never = Promise.withResolvers<void>()
  const waiting = async function* (): AsyncGenerator<Uint8Array, void> {
    yield Buffer.from('1')
    await never.promise
  }
  const body = { key: 'k', id: 'i', from: 0, chunks: waiting(), operation: async () => undefined }
  await expect(child.body(body, {})).rejects.toMatchObject({ code: 'FED_BY_ANOTHER', details: { hint: 'ask' } })
  expect(await child.partBytes('i', {})).toBe(3)
})

test('what the parent cannot read is thrown as it is, and whoever breaks off is told why', async () => {
  const { url } = await serve((request) => request.resume())
  const child = childOf(url)
  const failing = async function* (): AsyncGenerator<Uint8Array, void> {
    yield Buffer.from('1')
    throw new Error('the disk is broken')
  }
  const body = { key: 'k', id: 'i', from: 0, operation: async () => undefined }
  await expect(child.body({ ...body, chunks: failing() }, {})).rejects.toThrow('the disk is broken')
  const stop = new AbortController()
  const sending = child.body({ ...body, chunks: chunks(Buffer.from('1')) }, { signal: stop.signal })
  stop.abort(new Error('enough'))
  await expect(sending).rejects.toThrow('enough')
})

test('contents that nobody else has are given back when they have gone out, and not while they may still be sent', async () => {
  let isHasty = false
  const { url } = await serve(
    json(async (request) => {
      if (!isHasty) await framesIn(request)
      return [{ result: 'applied' }]
    }),
  )
  const child = childOf(url)
  const [own, shared, early] = [1, 2, 64].map((mib) => Buffer.allocUnsafeSlow(mib * 1024 * 1024))
  const send = async (bytes: Buffer | undefined, isOwn: boolean) =>
    child.operations([{ operation: put('a', bytes?.byteLength ?? 0), bytes, isOwn }], {})
  await send(own, true)
  await send(shared, false)
  expect([own, shared].map((bytes) => bytes?.byteLength)).toEqual([0, 2 * 1024 * 1024])
  isHasty = true
  expect(await send(early, true)).toEqual([{ result: 'applied' }])
  expect(early?.byteLength).toBe(64 * 1024 * 1024)
})

test('operations are sent once more when a kept connection was closed meanwhile', async () => {
  const { url, server } = await serve(
    json(async (request) => {
      await framesIn(request)
      return [{ result: 'applied' }]
    }),
  )
  server.keepAliveTimeout = 0
  const child = childOf(url)
  const one = [{ operation: put('a', 1), bytes: Buffer.from('1') }]
  for (let round = 0; round < 3; round++) {
    expect(await child.operations(one, {})).toEqual([{ result: 'applied' }])
    server.closeIdleConnections()
  }
})
