import { once } from 'node:events'
import { existsSync, linkSync, lstatSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, request } from 'node:http'
import { createServer as createPlainServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { type MemoryServedTree, memoryTree, openFileServer } from '../../test/helpers/file-server.ts'
import { MemoryParts } from '../../test/helpers/memory-parts.ts'
import { BODY_BYTES_HEADER, BODY_FILE_HEADER } from './handed.ts'
import { listenOnSocket } from './nginx-socket.ts'

let folder: string
let nginxSocket: string
let parts: MemoryParts
let tree: MemoryServedTree
const keys = 'writer write music\nreader read\n'

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'flotilla-handed-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  nginxSocket = join(folder, 'nginx.sock')
  tree = memoryTree('music')
  parts = new MemoryParts(tree.files)
})

async function open(trees = [{ ...tree, parts }]) {
  return await openFileServer({ trees, keys, nginxSocket })
}

interface Said {
  readonly status: number
  readonly text: string
  readonly headers: IncomingMessage['headers']
}

async function say(path: string, headers: Record<string, string>, method = 'PUT', body?: string): Promise<Said> {
  const sent = request({
    socketPath: nginxSocket,
    path,
    method,
    headers: { authorization: 'Bearer writer', ...headers },
  })
  sent.end(body)
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  const text = (await answer.setEncoding('utf8').toArray()).join('')
  return { status: answer.statusCode ?? 0, text, headers: answer.headers }
}

function handOver(name: string, content: string): Record<string, string> {
  parts.incomingFiles.set(name, Buffer.from(content))
  return { [BODY_FILE_HEADER]: `/elsewhere/incoming/${name}`, [BODY_BYTES_HEADER]: String(content.length) }
}

test('nginx hears whether a body may come before it takes it', async () => {
  await open([
    { ...tree, parts },
    { ...memoryTree('fixed'), readOnly: true, parts },
  ])
  const asks = { [BODY_BYTES_HEADER]: '5' }
  expect((await say('/music/a', asks)).status).toBe(204)
  const no: readonly (readonly [string, Record<string, string>])[] = [
    ['/music/a', { authorization: 'Bearer reader' }],
    ['/music/a', { authorization: 'Bearer nobody' }],
    ['/fixed/a', {}],
    ['/none/a', {}],
    ['/music', {}],
    ['/music/a?uploadId=x&partNumber=1', {}],
    ['/music/a', { 'x-amz-copy-source': '/music/b' }],
    ['/music/a', { 'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' }],
    ['/music/a', { 'content-md5': 'nonsense' }],
    ['/music/a', { [BODY_BYTES_HEADER]: '-5' }],
    ['/music/a', { [BODY_BYTES_HEADER]: '999999999999999' }],
    ['/.flotilla/v1/files', {}],
  ]
  for (const [path, headers] of no) {
    expect((await say(path, { ...asks, ...headers })).status, `${path} ${JSON.stringify(headers)}`).toBe(403)
  }
  expect([...tree.index.files.keys()]).toEqual([])
})

test('a tree that cannot take files says so', async () => {
  await open([tree as never])
  expect((await say('/music/a', { [BODY_BYTES_HEADER]: '5' })).status).toBe(403)
})

test('a body that nginx wrote becomes a file, with all that was said of it', async () => {
  await open()
  const kept = { 'content-type': 'audio/mpeg', 'x-amz-meta-run': '12z' }
  const answer = await say('/music/a', { ...handOver('0/1', 'hello'), ...kept })
  expect(answer.status).toBe(200)
  expect(tree.index.files.get('a')?.bytes).toEqual(Buffer.from('hello'))
  expect(answer.headers.etag).toBe(`"${tree.index.get('a')?.etag}"`)
  const read = await say('/music/a', {}, 'GET')
  expect(read).toMatchObject({ text: 'hello', headers: { 'content-type': 'audio/mpeg', 'x-amz-meta-run': '12z' } })
})

test('what is not as it was announced, or was not wanted, leaves nothing', async () => {
  await open()
  const wrong: readonly (readonly [Record<string, string>, number])[] = [
    [{ [BODY_BYTES_HEADER]: '6' }, 400],
    [{ 'content-md5': Buffer.alloc(16).toString('base64') }, 400],
    [{ 'x-amz-checksum-crc32': 'AAAAAA==' }, 400],
    [{ 'if-match': '"none"' }, 404],
    [{ authorization: 'Bearer reader' }, 403],
  ]
  for (const [headers, status] of wrong) {
    expect((await say('/music/a', { ...handOver('1', 'hello'), ...headers })).status).toBe(status)
    expect(tree.index.get('a')).toBeUndefined()
  }
})

test('a file that is not there, or elsewhere, is a fault of ours', async () => {
  await open()
  for (const file of ['/x/incoming/none', '/etc/passwd', '/x/incoming/../../etc/passwd', '']) {
    const answer = await say('/music/a', { [BODY_FILE_HEADER]: file, [BODY_BYTES_HEADER]: '5' })
    expect(answer.status, file).toBeGreaterThanOrEqual(400)
    expect(answer.text).not.toContain('/etc/passwd')
  }
  expect(tree.index.get('a')).toBeUndefined()
})

test('what nginx would not say is refused on its socket', async () => {
  await open()
  const handed = handOver('1', 'hello')
  expect((await say('/music/a', { ...handed, 'content-length': '5' }, 'PUT', 'other')).status).toBe(400)
  expect((await say('/music/a', handed, 'GET')).status).toBe(400)
  expect((await say('/music/a', handed, 'DELETE')).status).toBe(400)
  expect((await say('/music/a?uploads', handed, 'POST')).status).toBe(400)
})

test('an ordinary request on the socket is one', async () => {
  await open()
  expect((await say('/music/b', { 'content-length': '4' }, 'PUT', 'body')).status).toBe(200)
  expect((await say('/music/b', {}, 'GET')).text).toBe('body')
})

test('on any other listener all of it means nothing', async () => {
  const { url } = await open()
  const headers = { authorization: 'Bearer writer', ...handOver('1', 'hello') }
  expect((await fetch(`${url}/music/a`, { method: 'PUT', body: 'mine', headers })).status).toBe(200)
  expect(tree.index.files.get('a')?.bytes.toString()).toBe('mine')
  expect(parts.incomingFiles.has('1')).toBe(true)
})

test('the socket is for its user and group only, and goes when the service ends', async () => {
  const { stop } = await open()
  expect((lstatSync(nginxSocket).mode & 0o777).toString(8)).toBe('660')
  expect(readdirSync(folder)).toEqual(['nginx.sock'])
  await stop()
  expect(existsSync(nginxSocket)).toBe(false)
})

test('a socket that nobody listens on any more is replaced; one that somebody uses is not, nor anything else', async () => {
  const left = createPlainServer()
  left.listen(join(folder, 'left'))
  await once(left, 'listening')
  linkSync(join(folder, 'left'), nginxSocket)
  left.close()
  await once(left, 'close')
  const { stop } = await open()
  expect((await say('/music/a', { [BODY_BYTES_HEADER]: '5' })).status).toBe(204)
  await expect(listenOnSocket(createServer(), nginxSocket)).rejects.toMatchObject({ code: 'PORT_TAKEN' })
  await stop()
  writeFileSync(nginxSocket, 'a file')
  await expect(listenOnSocket(createServer(), nginxSocket)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  await expect(listenOnSocket(createServer(), join(folder, 'none/s'))).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  await expect(listenOnSocket(createServer(), join(folder, 'x'.repeat(120)))).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
  })
})
