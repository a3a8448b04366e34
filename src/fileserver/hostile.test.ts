import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { type MemoryServedTree, memoryTree, openFileServer } from '../../test/helpers/file-server.ts'
import { sendRaw } from '../../test/helpers/raw-http.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import type { LogFields } from '../core/log.ts'
import { PEER_PATH } from '../core/files/peer-wire.ts'
import { loggedUrl } from './request-head.ts'

const HEAD = 'host: files\r\n'

const treeOf = (): MemoryServedTree => memoryTree('data', { 'a/b': 'content', secret: 'not yours' })

/** A socket that says these bytes, and collects what comes. */
async function talk(port: number, bytes: string): Promise<{ readonly socket: Socket; readonly heard: () => string }> {
  const socket = connect(port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => undefined)
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
  await once(socket, 'connect')
  socket.write(bytes, 'latin1')
  return { socket, heard: () => text }
}

test.for([
  ['an absolute target', 'GET http://evil/data/a/b HTTP/1.1\r\n', 400],
  ['a star', 'GET * HTTP/1.1\r\n', 400],
  ['an encoding that is none', 'GET /data/%zz HTTP/1.1\r\n', 400],
  ['half an encoding', 'GET /data/a% HTTP/1.1\r\n', 400],
  ['bytes that are no UTF-8', 'GET /data/%ff HTTP/1.1\r\n', 400],
  ['an overlong slash', 'GET /data/%c0%af HTTP/1.1\r\n', 400],
  ['a query that is wrongly encoded', 'GET /data/a/b?x=%zz HTTP/1.1\r\n', 400],
  ['a header that decides, twice', 'GET /data/a/b HTTP/1.1\r\nHost: other\r\n', 400],
  ['two ranges in two headers', 'GET /data/a/b HTTP/1.1\r\nrange: bytes=0-1\r\nRange: bytes=0-2\r\n', 400],
  ['a transfer coding that is not known', 'PUT /data/x HTTP/1.1\r\ntransfer-encoding: xchunked\r\n', 501],
  ['two kinds of length', 'PUT /data/x HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n', 400],
  ['no length', 'PUT /data/x HTTP/1.1\r\n', 411],
  ['a length that is none', 'PUT /data/x HTTP/1.1\r\ncontent-length: -1\r\n', 400],
  ['more than a file may have', 'PUT /data/x HTTP/1.1\r\ncontent-length: 999999999999999\r\n', 400],
  ['a head that is too long', `GET /data/a/b HTTP/1.1\r\nx: ${'x'.repeat(20_000)}\r\n`, 431],
  ['a key that is too long', `GET /data/${'k'.repeat(1025)} HTTP/1.1\r\n`, 400],
  ['a method that there is not', 'PATCH /data/a/b HTTP/1.1\r\ncontent-length: 0\r\n', 405],
  ['dot segments', 'GET /data/../secret HTTP/1.1\r\n', 404],
  ['encoded dot segments', 'GET /data/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n', 404],
  ['dot segments before the tree', 'GET /../data/secret HTTP/1.1\r\n', 404],
  ['a NUL', 'GET /data/a%00b HTTP/1.1\r\n', 404],
])('is answered, not obeyed: %s', async ([, lines, status]) => {
  const tree = treeOf()
  const { url } = await openFileServer({ trees: [tree, memoryTree('other')], open: { openWrites: true } })
  const answer = await sendRaw(url, `${lines as string}${HEAD}connection: close\r\n\r\n`, 10_000)
  expect(answer.status).toBe(status)
  expect(answer.text).not.toContain('not yours')
  expect([...tree.index.files.keys()]).toEqual(['a/b', 'secret'])
})

test('whatever asks without credentials is refused, by every method and path but open ones', async () => {
  const tree = treeOf()
  const { url } = await openFileServer({ trees: [tree, memoryTree('other')], keys: 'k\n', credentials: 'A:b\n' })
  const paths = [
    '/',
    '/data',
    '/data/',
    '/data/a/b',
    '/openmeteo/',
    '/data?uploads',
    '/data/a/b?uploadId=1',
    '/data/a/b?acl',
    '/data?delete',
    '/?list-type=2',
    '/data?versions',
    `${PEER_PATH}trees`,
    `${PEER_PATH}trees/data/changes`,
    `${PEER_PATH}trees/data/batch`,
    '/data/a/b?attributes',
  ]
  for (const path of paths) {
    for (const method of ['GET', 'HEAD', 'PUT', 'POST', 'DELETE']) {
      const { status } = await fetch(url + path, { method })
      if (/^\/(?:\?|$)/.test(path) && method === 'HEAD') expect(status).toBe(200)
      else expect([path, method, status >= 400 && status < 500]).toEqual([path, method, true])
    }
  }
  for (const headers of [
    { authorization: 'Bearer nope' },
    { authorization: 'Basic QTpi' },
    { authorization: 'AWS4-HMAC-SHA256 x' },
    { 'x-api-key': 'k' },
  ]) {
    expect(
      (await fetch(`${url}/data/a/b`, { headers: headers as Record<string, string> })).status,
    ).toBeGreaterThanOrEqual(400)
  }
  for (const query of [
    'apikey=',
    'apikey=K',
    'APIKEY=k',
    'apikey=no&apikey=k',
    'AWSAccessKeyId=A&Signature=x&Expires=9999999999',
    'X-Amz-Signature=x',
  ]) {
    expect((await fetch(`${url}/data/a/b?${query}`)).status).toBeGreaterThanOrEqual(400)
  }
  expect(tree.index.files.size).toBe(2)
})

test('a body that nobody may send is not asked for', async () => {
  const { port } = await openFileServer({ trees: [treeOf()], credentials: 'A:b\n' })
  const { socket, heard } = await talk(
    port,
    `PUT /data/x HTTP/1.1\r\n${HEAD}content-length: 1000000\r\nexpect: 100-continue\r\n\r\n`,
  )
  await once(socket, 'close')
  expect(heard()).toMatch(/^HTTP\/1\.1 403 /)
})

test('a body that is wanted is asked for', async () => {
  const tree = treeOf()
  const { port } = await openFileServer({ trees: [tree], open: { openWrites: true } })
  const { socket, heard } = await talk(
    port,
    `PUT /data/x HTTP/1.1\r\n${HEAD}content-length: 4\r\nexpect: 100-continue\r\n\r\n`,
  )
  await expect.poll(heard).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\n$/)
  socket.write('body')
  await expect.poll(heard).toMatch(/HTTP\/1\.1 200 /)
  expect(tree.index.get('x')?.size).toBe(4)
})

test('after a refused body the connection goes on with the next request', async () => {
  const { port } = await openFileServer({ trees: [treeOf()] })
  const { socket, heard } = await talk(port, `PUT /data/x HTTP/1.1\r\n${HEAD}content-length: 300000\r\n\r\n`)
  socket.write('x'.repeat(300_000))
  socket.write(`GET /data/a/b HTTP/1.1\r\n${HEAD}connection: close\r\n\r\n`)
  await once(socket, 'close')
  expect(heard()).toMatch(/^HTTP\/1\.1 403 .*HTTP\/1\.1 200 .*content$/s)
})

test('a head, or the begin of a connection, that does not come is not waited for', async () => {
  const { port, url } = await openFileServer({ trees: [treeOf()], limits: { headMs: 300 } })
  const slow = await talk(port, 'GET /data/a/b HTTP/1.1\r\nhost: x\r\nx-a')
  const drip = setInterval(() => slow.socket.write('a'), 50)
  onTestFinished(() => clearInterval(drip))
  const silent = await talk(port, '')
  await Promise.all([once(slow.socket, 'close'), once(silent.socket, 'close')])
  expect(slow.heard()).toMatch(/^HTTP\/1\.1 408 /)
  expect((await fetch(`${url}/data/a/b`)).status).toBe(200)
})

test('a body that stops coming ends the connection, and nothing is stored', async () => {
  const tree = treeOf()
  const { port, server } = await openFileServer({
    trees: [tree],
    open: { openWrites: true },
    limits: { silenceMs: 300 },
  })
  const { socket } = await talk(port, `PUT /data/x HTTP/1.1\r\n${HEAD}content-length: 1000\r\n\r\nbegin`)
  await once(socket, 'close')
  await expect.poll(() => server.figures.active).toBe(0)
  expect(tree.index.get('x')).toBeUndefined()
})

test('a body that comes byte by byte is ended, though it never stops', async () => {
  const tree = treeOf()
  const limits = { bodyBytesPerSecond: 1000, slowAfterMs: 300 }
  const { port } = await openFileServer({ trees: [tree], open: { openWrites: true }, limits })
  const { socket, heard } = await talk(port, `PUT /data/x HTTP/1.1\r\n${HEAD}content-length: 1000\r\n\r\nbegin`)
  const drip = setInterval(() => socket.write('a'), 50)
  onTestFinished(() => clearInterval(drip))
  await expect.poll(heard, { timeout: 5000 }).toMatch(/^HTTP\/1\.1 400 .*<Code>RequestTimeout</s)
  expect(tree.index.get('x')).toBeUndefined()
})

test('somebody who does not read what they asked for is let go', async () => {
  const tree = memoryTree('data', { large: Buffer.alloc(50_000_000) })
  const { port, server } = await openFileServer({ trees: [tree], limits: { silenceMs: 300 } })
  const { socket } = await talk(port, `GET /data/large HTTP/1.1\r\n${HEAD}\r\n`)
  socket.pause()
  await expect.poll(() => server.figures.active).toBe(1)
  await expect.poll(() => server.figures.active, { timeout: 5000 }).toBe(0)
  expect(tree.files.opened).toBe(0)
})

test('a thousand idle connections are in nobody’s way', async () => {
  const { port, url } = await openFileServer({ trees: [treeOf()] })
  const idle = await Promise.all(Array.from({ length: 1000 }, async () => talk(port, '')))
  expect((await fetch(`${url}/data/a/b`)).status).toBe(200)
  expect(idle.every(({ socket }) => !socket.destroyed)).toBe(true)
})

test('more requests at once than there may be are told to slow down', async () => {
  const tree = memoryTree('data', { large: Buffer.alloc(50_000_000), small: 'x' })
  const { port, url, server } = await openFileServer({ trees: [tree], limits: { requests: 2 } })
  const open = await Promise.all([1, 2].map(async () => talk(port, `GET /data/large HTTP/1.1\r\n${HEAD}\r\n`)))
  for (const { socket } of open) socket.pause()
  await expect.poll(() => server.figures.active).toBe(2)
  const answer = await fetch(`${url}/data/small`)
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
  expect(await answer.text()).toContain('<Code>SlowDown</Code>')
  for (const { socket } of open) socket.destroy()
  await expect.poll(() => server.figures.active).toBe(0)
  expect((await fetch(`${url}/data/small`)).status).toBe(200)
  expect(server.figures.slowedDown).toBe(1)
})

test('stopping lets answers under way come to their end', async () => {
  const tree = memoryTree('data', { large: Buffer.alloc(20_000_000) })
  const { url, stop, server } = await openFileServer({ trees: [tree] })
  const answer = await fetch(`${url}/data/large`)
  await expect.poll(() => server.figures.active).toBe(1)
  const stopped = stop()
  expect((await answer.arrayBuffer()).byteLength).toBe(20_000_000)
  await stopped
  await expect(fetch(`${url}/data/large`)).rejects.toThrow()
})

test('a file that is found to have changed while it is sent is cut off, not ended', async () => {
  const tree = memoryTree('data', { large: Buffer.alloc(1_000_000) })
  const open = tree.files.open.bind(tree.files)
  tree.files.open = async (key) => {
    const file = await open(key)
    if (file === undefined) return undefined
    const read = async function* (start: number, end: number): AsyncGenerator<Uint8Array> {
      yield* file.read(start, end / 2)
      throw new Error('torn')
    }
    return { ...file, read }
  }
  const logged: unknown[] = []
  const log = {
    debug() {},
    info() {},
    warn() {},
    error: (message: string, fields?: LogFields) => void logged.push([message, fields]),
  }
  const { url, server } = await openFileServer({ trees: [tree], log, keys: 'sesame\n' })
  const answer = await fetch(`${url}/data/large?apikey=sesame`)
  await expect(answer.arrayBuffer()).rejects.toThrow()
  expect(server.figures.failed).toBe(1)
  expect(JSON.stringify(logged)).toContain('/data/large?apikey=redacted')
  expect(JSON.stringify(logged)).not.toContain('sesame')
})

test('secrets do not stand in logged URLs', () => {
  expect(loggedUrl('/a?apikey=k&x=1')).toBe('/a?apikey=redacted&x=1')
  expect(loggedUrl('/a?x=1&X-Amz-Signature=s&X-Amz-Credential=c&X-Amz-Security-Token=t')).toBe(
    '/a?x=1&X-Amz-Signature=redacted&X-Amz-Credential=redacted&X-Amz-Security-Token=redacted',
  )
  expect(loggedUrl('/a?AWSAccessKeyId=k&Signature=s&Expires=5')).toBe(
    '/a?AWSAccessKeyId=redacted&Signature=redacted&Expires=5',
  )
  expect(loggedUrl('/a?api%6bey=k')).toBe('/a?…')
  expect(loggedUrl('/a%20b?prefix=x%2Fy&apikey=k')).toBe('/a%20b?prefix=x%2Fy&apikey=redacted')
})

test('a copy that takes long says that it goes on, and tells in the end what came of it', async () => {
  for (const fails of [false, true]) {
    const tree = treeOf()
    const clock = new VirtualClock(Date.now())
    const held = Promise.withResolvers<void>()
    const put = tree.files.put.bind(tree.files)
    tree.files.put = async (...args) => {
      await held.promise
      if (fails) throw Object.assign(new Error('x'), { code: 'DISK_FULL' })
      return await put(...args)
    }
    const { port } = await openFileServer({ trees: [tree], clock, open: { openWrites: true } })
    const { heard } = await talk(
      port,
      `PUT /data/copy HTTP/1.1\r\n${HEAD}x-amz-copy-source: /data/a/b\r\ncontent-length: 0\r\n\r\n`,
    )
    await expect
      .poll(async () => {
        await clock.advance(10_000)
        return heard()
      })
      .toMatch(/^HTTP\/1\.1 200 .*<\?xml version="1.0" encoding="UTF-8"\?>\n/s)
    held.resolve()
    if (fails) await expect.poll(heard).not.toContain('CopyObjectResult')
    else await expect.poll(heard).toMatch(/<CopyObjectResult .*<\/CopyObjectResult>/s)
  }
})

test('uploads under way show nothing of those that the caller may not write', async () => {
  const tree = treeOf()
  const { url } = await openFileServer({ trees: [tree], keys: 'all write\nsome write data/own\n' })
  const upload = async (key: string): Promise<string> => {
    const answer = await fetch(`${url}/data/${key}?uploads&apikey=all`, { method: 'POST' })
    return /<UploadId>([^<]+)</.exec(await answer.text())?.[1] ?? ''
  }
  const hidden = [await upload('hidden/deep/a'), await upload('hidden/deep/b'), await upload('z/c')]
  const own = await upload('own/d')
  for (const more of [
    '',
    '&delimiter=/',
    '&max-uploads=1',
    '&max-uploads=1&delimiter=/',
    '&prefix=h',
    '&key-marker=a',
  ]) {
    const text = await (await fetch(`${url}/data?uploads&apikey=some${more}`)).text()
    expect(text).not.toMatch(/hidden|<(?:Prefix|Key|NextKeyMarker)>z/)
    for (const id of hidden) expect(text).not.toContain(id)
    if (!more.includes('delimiter') && !more.includes('prefix')) expect(text).toContain(own)
    expect(text).toContain('<IsTruncated>false</IsTruncated>')
  }
})
