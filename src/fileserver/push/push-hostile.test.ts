import fc from 'fast-check'
import { connect } from 'node:net'
import { once } from 'node:events'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { openFileServer, type RunningFileServer } from '../../../test/helpers/file-server.ts'
import { fedTree, type FedTree, putOf } from '../../../test/helpers/memory-distribution.ts'
import { sendRaw } from '../../../test/helpers/raw-http.ts'
import { FRAME, PEER_PATH } from '../../core/files/peer-wire.ts'
import { ABORT_FRAME, OPERATION_FRAME, OPS_LIMITS } from '../../core/push/wire.ts'

let tree: FedTree
let running: RunningFileServer

beforeEach(async () => {
  tree = fedTree('music')
  running = await openFileServer({ trees: [tree], open: { openWrites: true } })
})

const BASE = `${PEER_PATH}trees/music/`

function head(kind: number, count: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32LE(kind, 0)
  bytes.writeUInt32LE(count, 4)
  return bytes
}

function frame(content: string | Uint8Array, kind: number = FRAME.bytes): Buffer {
  const bytes = Buffer.from(content)
  return Buffer.concat([head(kind, bytes.byteLength), bytes])
}

const json = (value: unknown, kind?: number): Buffer => frame(JSON.stringify(value), kind)
const end = (count: number): Buffer => head(FRAME.end, count)

async function post(
  path: string,
  parts: readonly Uint8Array[],
  url = running.url,
  headers: Record<string, string> = {},
) {
  const answer = await fetch(`${url}${BASE}${path}`, { method: 'POST', body: Buffer.concat(parts), headers })
  return { status: answer.status, body: await answer.json() }
}

const REFUSED = { status: 400, body: { error: { code: 'BAD_REQUEST' } } }
const put = putOf('a/b', 'content')
const operationWith = (fields: object): readonly Uint8Array[] => [json({ ...put, ...fields }), frame('content'), end(1)]

test('a batch is carried out in its order, as it was said', async () => {
  const gone = { key: 'gone', version: { epoch: 3, sequence: 9 }, gone: true }
  const offered = putOf('offered', 'xyz')
  const headers = { 'content-type': 'audio/mpeg', 'x-amz-meta-a': 'b', 'x-flotilla-parts': '5*3,2' }
  const full = { ...put, sha256: 'a'.repeat(64), md5: 'b'.repeat(32), headers }
  tree.distribution.receiver.outcomeOf = ({ key }) => (key === 'offered' ? { result: 'wanted' } : { result: 'applied' })
  const parts = [
    json(full),
    frame('content'),
    json(gone),
    json({ ...offered, offer: true }),
    json(putOf('none', '')),
    frame(''),
  ]
  expect(await post('push-ops', [...parts, end(4)])).toEqual({
    status: 200,
    body: [{ result: 'applied' }, { result: 'applied' }, { result: 'wanted' }, { result: 'applied' }],
  })
  const { received, deeps } = tree.distribution.receiver
  expect(received.map(({ operation }) => operation)).toEqual([full, gone, offered, putOf('none', '')])
  expect(received.map(({ content }) => content?.toString())).toEqual(['content', undefined, undefined, ''])
  expect(deeps).toEqual([])
})

test('headers that no file has are left out, those of this service are kept', async () => {
  const ours = {
    'x-flotilla-parts': '5242880*2,17',
    'x-flotilla-upload': 'an-Id_1',
    'x-amz-checksum-type': 'COMPOSITE',
  }
  const evil = { 'x-accel-redirect': '/etc/passwd', 'Content-Type': 'a', 'set-cookie': 'a=b', 'x-newer\r\nx': 'y' }
  expect((await post('push-ops', operationWith({ headers: { ...ours, ...evil } }))).status).toBe(200)
  expect(tree.distribution.receiver.received[0]?.operation).toEqual({ ...put, headers: ours })
})

test('who wants to know of what lies below is told, of what was done', async () => {
  tree.distribution.receiver.outcomeOf = ({ key }) =>
    key === 'bad' ? { result: 'failed', code: 'CORRUPT', message: 'no' } : { result: 'same' }
  tree.distribution.receiver.isDeep = false
  const parts = [json(put), frame('content'), json(putOf('bad', 'x')), frame('x'), end(2)]
  expect((await post('push-ops?deep=1&wait=2500', parts)).body).toEqual([
    { result: 'same', isDeep: false },
    { result: 'failed', code: 'CORRUPT', message: 'no' },
  ])
  expect(tree.distribution.receiver.deeps).toEqual([{ keys: ['a/b'], waitMs: 2500 }])
})

const many = (count: number): readonly Uint8Array[] =>
  Array.from({ length: count }, (_, at) => json({ key: `${at}`, version: put.version, gone: true }))

test.for<[string, readonly Uint8Array[]]>([
  ['nothing', []],
  ['half a head', [head(1, 5).subarray(0, 5)]],
  ['garbage', [Buffer.from('GET / HTTP/1.1\r\n\r\n')]],
  ['JSON that is none', [frame('{"key":'), end(1)]],
  ['JSON that is no object', [frame('17'), end(1)]],
  ['an operation without its content', [json(put), end(1)]],
  ['a content that breaks off', [json(put), head(1, 7), Buffer.from('con')]],
  ['no end', [json(put), frame('content')]],
  ['an end that counts more', [json(put), frame('content'), end(2)]],
  ['an end that counts less', [json(put), frame('content'), end(0)]],
  ['something behind the end', [json(put), frame('content'), end(1), Buffer.from('x')]],
  ['a key twice', [json(put), frame('content'), json(put), frame('content'), end(2)]],
  ['a frame of another kind', [frame('{}', 7), end(1)]],
  ['an operation that is too long', [head(1, OPS_LIMITS.jsonBytes + 1), Buffer.alloc(10)]],
  ['a content that is too long', [json(put), head(1, OPS_LIMITS.contentBytes + 1), Buffer.alloc(10)]],
  ['the longest length there is', [head(1, 0xffffffff), Buffer.alloc(10)]],
  ['too many operations', [...many(OPS_LIMITS.operations + 1), end(OPS_LIMITS.operations + 1)]],
  ['a negative size', operationWith({ size: -1 })],
  ['a size that is no number', operationWith({ size: '7' })],
  ['a size of fractions', operationWith({ size: 1.5 })],
  ['no key', operationWith({ key: '' })],
  ['a key with a NUL', operationWith({ key: 'a\0b' })],
  ['a key that is too long', operationWith({ key: 'k'.repeat(1025) })],
  ['a key that is no text', operationWith({ key: ['a'] })],
  ['a key that is not Unicode', operationWith({ key: '\ud800' })],
  ['no version', operationWith({ version: undefined })],
  ['a negative version', operationWith({ version: { epoch: 1, sequence: -1 } })],
  ['a version that is too great', operationWith({ version: { epoch: 1e300, sequence: 1 } })],
  ['a hash that is none', operationWith({ sha256: 'A'.repeat(64) })],
  ['an ETag that ends its header', operationWith({ etag: 'x"\r\nx-evil: 1' })],
  ['a header with a line break', operationWith({ headers: { 'content-type': 'a\r\nx: y' } })],
  ['a header that is no text', operationWith({ headers: { 'content-type': 7 } })],
  ['headers that are too long', operationWith({ headers: { 'content-type': 'a'.repeat(17_000) } })],
  ['sizes of parts without end', operationWith({ headers: { 'x-flotilla-parts': '1*99999,1*99999' } })],
  ['a time that is none', operationWith({ modifiedMs: 'now' })],
])('a batch is refused as a whole, and nothing of it is done: %s', async ([, parts]) => {
  expect(await post('push-ops', parts)).toMatchObject(REFUSED)
  expect(tree.distribution.receiver.received).toEqual([])
  // The service goes on.
  expect((await post('push-ops', operationWith({}))).status).toBe(200)
})

test('contents of a batch have a limit together', async () => {
  const size = OPS_LIMITS.contentBytes
  const content = frame(Buffer.alloc(size))
  const items = Array.from({ length: 9 }, (_, at) => [json(putOf(`${at}`, 'x', { size })), content]).flat()
  expect(await post('push-ops', [...items.slice(0, 16), end(8)])).toMatchObject({ status: 200 })
  expect(await post('push-ops', [...items, end(9)])).toMatchObject(REFUSED)
  expect(tree.distribution.receiver.received).toHaveLength(8)
})

test('whatever bytes come, they are refused or understood, and the service goes on', async () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom(
      json(put),
      frame('content'),
      end(0),
      end(1),
      head(FRAME.bytes, 3),
      json(put, OPERATION_FRAME),
      head(ABORT_FRAME, 0),
    ),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 6 }), fc.boolean(), async (parts, isBody) => {
      const path = isBody ? 'push-body?key=a/b&id=x&from=0' : 'push-ops'
      const { status } = await post(path, parts)
      expect([200, 400]).toContain(status)
    }),
    { numRuns: 150 },
  )
})

const bodyPath = (fields: Readonly<Record<string, string>> = {}): string =>
  `push-body?${new URLSearchParams({ key: 'a/b', id: 'part-1', from: '0', ...fields }).toString()}`

test('a large file comes in frames, with signs of life between them, and goes on where it broke off', async () => {
  const { receiver } = tree.distribution
  expect(await post(bodyPath(), [frame('con'), frame(''), frame('te')])).toMatchObject(REFUSED)
  const answer = await fetch(`${running.url}${BASE}push-part?id=part-1`)
  expect(await answer.json()).toEqual({ bytes: 5 })
  const rest = [frame('nt'), json(put, OPERATION_FRAME), end(0)]
  expect(await post(bodyPath({ from: '5', deep: '1', wait: '10' }), rest)).toEqual({
    status: 200,
    body: { result: 'applied', isDeep: true },
  })
  expect(receiver.received.map(({ content }) => content?.toString())).toEqual(['content'])
  expect(receiver.deeps).toEqual([{ keys: ['a/b'], waitMs: 10 }])
})

test('a large file that came to nothing is forgotten', async () => {
  const { status, body } = await post(bodyPath(), [frame('con'), head(ABORT_FRAME, 0)])
  expect([status, body]).toEqual([200, { result: 'failed', code: 'CHANGED', message: 'it came to nothing' }])
  expect(await tree.distribution.receiver.partBytes('part-1')).toBe(0)
})

test.for<[string, string, readonly Uint8Array[]]>([
  ['no operation', bodyPath(), [frame('content'), end(0)]],
  [
    'the operation of another file',
    bodyPath(),
    [frame('content'), json(putOf('c', 'content'), OPERATION_FRAME), end(0)],
  ],
  ['a deletion', bodyPath(), [json({ key: 'a/b', version: put.version, gone: true }, OPERATION_FRAME), end(0)]],
  ['an offer', bodyPath(), [json({ ...put, offer: true }, OPERATION_FRAME), end(0)]],
  ['no end', bodyPath(), [frame('content'), json(put, OPERATION_FRAME)]],
  ['an end that counts', bodyPath(), [frame('content'), json(put, OPERATION_FRAME), end(1)]],
  ['something behind the end', bodyPath(), [frame('content'), json(put, OPERATION_FRAME), end(0), frame('more')]],
  ['something behind giving up', bodyPath(), [head(ABORT_FRAME, 0), frame('more')]],
  ['a frame that is too long', bodyPath(), [head(FRAME.bytes, 1024 * 1024 + 1), Buffer.alloc(100)]],
  ['an operation that is too long', bodyPath(), [head(OPERATION_FRAME, 0xffffffff)]],
  ['a negative offset', bodyPath({ from: '-1' }), []],
  ['an offset that is none', bodyPath({ from: '1e3' }), []],
  ['an offset beyond numbers', bodyPath({ from: '9999999999999999' }), []],
  ['an id with a path', bodyPath({ id: '../x' }), []],
  ['an id that is too long', bodyPath({ id: 'x'.repeat(65) }), []],
  ['no id', bodyPath({ id: '' }), []],
  ['no key', bodyPath({ key: '' }), []],
  ['a key that is too long', bodyPath({ key: 'k'.repeat(1025) }), []],
])('a large file is refused, and nothing is applied: %s', async ([, path, parts]) => {
  expect(await post(path, parts)).toMatchObject(REFUSED)
  expect(tree.distribution.receiver.received).toEqual([])
})

test('who is fed slowly holds up whoever feeds', async () => {
  const { receiver } = tree.distribution
  const { promise: gate, resolve: open } = Promise.withResolvers<void>()
  receiver.onChunk = async () => gate
  const socket = connect(running.port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  let heard = ''
  socket.on('data', (bytes: Buffer) => (heard += bytes.toString('latin1')))
  const mib = Buffer.alloc(1024 * 1024)
  const operation = json(putOf('a/b', '', { size: 64 * mib.byteLength }), OPERATION_FRAME)
  const length = 64 * (8 + mib.byteLength) + operation.byteLength + 8
  socket.write(`POST ${BASE}${bodyPath()} HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n\r\n`)
  for (let at = 0; at < 64; at++) socket.write(Buffer.concat([head(FRAME.bytes, mib.byteLength), mib]))
  socket.write(Buffer.concat([operation, end(0)]))
  const taken = (): number => socket.bytesWritten - socket.writableLength
  for (let before = -1; before !== taken();) {
    before = taken()
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  expect(taken()).toBeLessThan(32 * mib.byteLength)
  open()
  await expect.poll(() => heard, { timeout: 20_000 }).toContain('{"result":"applied"}')
})

test('a parent that falls silent is let go, and what has come is kept', async () => {
  const { url, port } = await openFileServer({
    trees: [tree],
    open: { openWrites: true },
    limits: { silenceMs: 150 },
  })
  const socket = connect(port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => undefined)
  socket.write(`POST ${BASE}${bodyPath()} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nb\r\n`)
  socket.write(Buffer.concat([frame('con'), Buffer.from('\r\n')]))
  await once(socket, 'close')
  await expect.poll(async () => tree.distribution.receiver.partBytes('part-1')).toBe(3)
  expect((await fetch(`${url}/music/?list-type=2`)).status).toBe(200)
})

test.for([
  ['two lengths', 'content-length: 3\r\ncontent-length: 5\r\n'],
  ['a length and chunks', 'content-length: 3\r\ntransfer-encoding: chunked\r\n'],
  ['chunks and a length', 'transfer-encoding: chunked\r\ncontent-length: 3\r\n'],
  ['a negative length', 'content-length: -3\r\n'],
  ['a length with a sign', 'content-length: +3\r\n'],
  ['a length in hex', 'content-length: 0x3\r\n'],
  ['chunks that are not quite', 'transfer-encoding: chunked, identity\r\n'],
  ['chunks behind a tab', 'transfer-encoding:\tchunked \r\ncontent-length: 3\r\n'],
  ['a header that is folded', 'x: y\r\n transfer-encoding: chunked\r\ncontent-length: 3\r\n'],
  ['a space before the colon', 'content-length : 3\r\n'],
  ['two codings', 'transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n'],
])('a second request is not smuggled in the body of another: %s', async ([, lines]) => {
  const smuggled = 'DELETE /music/kept HTTP/1.1\r\nhost: x\r\n\r\n'
  tree.index.put('kept', 'content')
  for (const target of ['PUT /music/x', `POST ${BASE}push-ops`, `POST ${BASE}${bodyPath()}`]) {
    const text = `${target} HTTP/1.1\r\nhost: x\r\n${lines}\r\n0\r\n\r\n${smuggled}`
    const { status } = await sendRaw(running.url, text, 1000)
    expect([400, 501]).toContain(status)
  }
  expect([...tree.index.files.keys()]).toEqual(['kept'])
  expect(tree.distribution.asked).toEqual([])
  expect(tree.distribution.receiver.received).toEqual([])
})

test.for([
  ['too few bytes', 'content-length: 100\r\n\r\nshort'],
  ['a chunk that breaks off', 'transfer-encoding: chunked\r\n\r\nff\r\nshort'],
  ['a chunk of a length that is none', 'transfer-encoding: chunked\r\n\r\n-5\r\nshort\r\n0\r\n\r\n'],
  ['a chunk that is longer than it says', 'transfer-encoding: chunked\r\n\r\n2\r\nlonger\r\n0\r\n\r\n'],
])('a file that does not come as announced leaves nothing, and nobody is told: %s', async ([, text]) => {
  const { port } = running
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.end(`PUT /music/x HTTP/1.1\r\nhost: x\r\n${text}`)
  socket.resume()
  await once(socket, 'close')
  expect(tree.index.files.size).toBe(0)
  expect(tree.distribution.asked).toEqual([])
})

test('nobody feeds a tree who may not: other keys, other trees, nobody', async () => {
  const other = fedTree('other')
  const keys = 'reader read\nwriter write\nparent parent music\n'
  const { url } = await openFileServer({ trees: [tree, other], keys, open: { openWrites: true } })
  const batch = [json(put), frame('content'), end(1)]
  for (const key of ['reader', 'writer']) {
    const refused = await post('push-ops', batch, url, { authorization: `Bearer ${key}` })
    expect(refused).toMatchObject({
      status: 403,
      body: { error: { code: 'FORBIDDEN', hint: expect.stringContaining('KEY parent music') } },
    })
  }
  expect((await post('push-ops', batch, url)).status).toBe(403)
  expect((await post('push-ops', batch, url, { authorization: 'Bearer parent' })).status).toBe(200)
  const elsewhere = await fetch(`${url}${PEER_PATH}trees/other/push-ops`, {
    method: 'POST',
    body: Buffer.concat(batch),
    headers: { authorization: 'Bearer parent' },
  })
  expect(elsewhere.status).toBe(404)
  expect(
    (await fetch(`${url}/music/x`, { method: 'PUT', body: 'x', headers: { authorization: 'Bearer parent' } })).status,
  ).toBe(403)
  expect(tree.distribution.receiver.received).toHaveLength(1)
  expect(other.distribution.receiver.received).toEqual([])
})

test('a parent introduces itself in a proper form, or not at all', async () => {
  const hello = { from: 'id-1', name: 'root:8080', lineage: 'music', above: ['id-0', 'id-1'], epoch: 5 }
  expect(await post('push-hello', [Buffer.from(JSON.stringify(hello))])).toEqual({
    status: 200,
    body: { id: 'child-1' },
  })
  for (const fields of [
    { from: '' },
    { from: '../x' },
    { name: 'a\r\nb' },
    { name: 'x'.repeat(300) },
    { lineage: 7 },
    { above: 'id' },
    { above: Array.from({ length: 100 }, () => 'x') },
    { above: [{}] },
    { epoch: -1 },
    { epoch: 'new' },
  ]) {
    expect(await post('push-hello', [Buffer.from(JSON.stringify({ ...hello, ...fields }))])).toMatchObject(REFUSED)
  }
  expect(tree.distribution.receiver.hellos).toEqual([hello])
})

test('sums and rows are asked for within limits', async () => {
  const ask = async (path: string, body: unknown) => post(path, [Buffer.from(JSON.stringify(body))])
  expect((await ask('push-sums', { prefix: 'a/' })).body).toHaveLength(4096)
  const wish = { prefix: 'a/', buckets: [0, 4095], after: 'a/b', limit: 99_999 }
  expect((await ask('push-rows', wish)).body).toEqual([{ key: 'a/|a/b|0,4095', content: '10000' }])
  for (const fields of [
    { buckets: [4096] },
    { buckets: [-1] },
    { buckets: 'all' },
    { limit: 0 },
    { limit: 'x' },
    { prefix: 7 },
    { after: null },
  ]) {
    expect(await ask('push-rows', { ...wish, ...fields })).toMatchObject(REFUSED)
  }
  expect(await ask('push-sums', null)).toMatchObject(REFUSED)
})
