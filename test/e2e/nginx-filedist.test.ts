import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  closeSync,
  createReadStream,
  existsSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, onTestFinished, vi } from 'vitest'
import { API_KEY, type FileService, startFileService, WRITER } from '../helpers/file-service.ts'
import { writeFiles } from '../helpers/folder.ts'
import { needs } from '../helpers/needs.ts'
import { type FiledistNginx, openFiledistNginx } from '../helpers/nginx-filedist.ts'
import { noise } from '../helpers/s3-clients.ts'
import { tinyDisk } from '../helpers/tiny-disk.ts'

/** What `flotilla proxy render filedist` prints, on a real nginx before a file service that runs. */

const MIB = 1024 * 1024
const test = await needs({ tools: ['nginx'] })
vi.setConfig({ testTimeout: 60_000 })
const KEYS = `${API_KEY} write\nreader read music/open/\n`
let service: FileService
let nginx: FiledistNginx

beforeAll(async () => {
  service = await startFileService({ trees: ['music'], keys: KEYS, args: ['--nginx-socket', 'nginx.sock'] })
  writeFiles(service.at('music'), {
    'open/one.mp3': 'one',
    'open/two words + $1 "x" é.mp3': 'two',
    'other/three.mp3': 'three',
    'open/.hidden.mp3': 'hidden',
    'open/backup.mp3~': 'backup',
    '.flotilla-tmp-incoming/x': 'ours',
    'open/.flotilla-tmp-x': 'ours',
  })
  writeFiles(service.folder, { 'secret/file.mp3': 'secret' })
  symlinkSync(`${service.folder}/secret`, service.at('music', 'open/linked'))
  nginx = await openFiledistNginx(service)
}, 60_000)

afterAll(async () => {
  await nginx?.stop()
  await service?.stop()
})

interface Got {
  readonly status: number
  readonly text: string
  /** Whether the file service had a hand in it. */
  readonly isDirect: boolean
  readonly headers: Headers
}

async function ask(path: string, init: RequestInit = {}): Promise<Got> {
  const answer = await fetch(`${nginx.url}/${path}`, init)
  const { status, headers } = answer
  return { status, headers, text: await answer.text(), isDirect: !headers.has('x-amz-request-id') }
}

const bearer = { authorization: `Bearer ${API_KEY}` }

async function put(path: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<Got> {
  return await ask(path, { method: 'PUT', body: new Uint8Array(Buffer.from(body)), headers: { ...bearer, ...headers } })
}

/** A request exactly as it is written. */
async function raw(text: string, until = 'close'): Promise<string> {
  const socket = connect(nginx.port, '127.0.0.1')
  let said = ''
  socket.on('data', (chunk) => (said += String(chunk)))
  socket.on('error', () => undefined)
  socket.write(text)
  await once(socket, until)
  socket.destroy()
  return said
}

function incoming(): readonly string[] {
  const left = ['.flotilla-tmp-incoming', '.flotilla-tmp-parts'].flatMap((name) => {
    const folder = service.at('music', name)
    return existsSync(folder) ? readdirSync(folder) : []
  })
  return left.filter((name) => name !== 'x')
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

test('local files are sent by nginx alone: whole, in parts, and their head, with a key in the query or in a header', async () => {
  expect(await ask('music/open/one.mp3', { headers: bearer })).toMatchObject({ text: 'one', isDirect: true })
  expect(await ask('music/open/one.mp3?apikey=reader')).toMatchObject({ text: 'one', isDirect: true })
  const odd = encodeURIComponent('two words + $1 "x" é.mp3')
  expect(await ask(`music/open/${odd}?apikey=reader`)).toMatchObject({ text: 'two', isDirect: true })
  const head = await ask('music/open/one.mp3', { method: 'HEAD', headers: bearer })
  expect(head).toMatchObject({ status: 200, isDirect: true })
  expect(head.headers.get('content-length')).toBe('3')
  const part = await ask('music/open/one.mp3', { headers: { ...bearer, range: 'bytes=1-' } })
  expect(part).toMatchObject({ status: 206, text: 'ne', isDirect: true })
  const several = await ask('music/open/one.mp3', { headers: { ...bearer, range: 'bytes=0-0,2-2' } })
  expect(several).toMatchObject({ status: 206, isDirect: true })
  expect(several.headers.get('content-type')).toContain('multipart/byteranges')
})

test('without the right key there is nothing, in the words of the file service', async () => {
  for (const path of ['music/open/one.mp3', 'music/open/one.mp3?apikey=wrong', 'music/other/three.mp3?apikey=reader']) {
    const answer = await ask(path)
    expect([401, 403], path).toContain(answer.status)
    expect(answer.isDirect, path).toBe(false)
  }
  expect((await ask('music/open/one.mp3', { headers: { authorization: 'Bearer wrong' } })).status).toBe(401)
  const injected = await raw(
    'GET /music/other/three.mp3?apikey=x 111 ? HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  )
  expect(injected).not.toContain('three')
})

test('what nobody may see is not seen through nginx either', async () => {
  for (const path of [
    '/music/.flotilla-tmp-incoming/x',
    '/music/%2eflotilla-tmp-incoming/x',
    '/music/open/.flotilla-tmp-x',
    '/music/open/%2Eflotilla-tmp-x',
    '/music/open/backup.mp3~',
    '/music/open/backup.mp3%7e',
    '/music/open/linked/file.mp3',
    '/music/open/../../secret/file.mp3',
    '/music/open/..%2f..%2fsecret/file.mp3',
    '/music/open/%2e%2e/%2e%2e/secret/file.mp3',
    '/music/open//../.flotilla-tmp-x',
    '/.flotilla-received/music',
    '/.flotilla-question',
    '/.flotilla-written/music',
  ]) {
    const answer = await raw(
      `GET ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${API_KEY}\r\nConnection: close\r\n\r\n`,
    )
    expect(answer, path).toMatch(/^HTTP\/1\.1 4\d\d /)
    expect(answer, path).not.toMatch(/\r\n\r\n(?:ours|secret|backup)$/)
  }
})

test('PUT and DELETE go to the file service, and what was put is read from nginx at once', async () => {
  for (const content of ['first', 'second']) {
    expect(await put('music/put/a.mp3', content)).toMatchObject({ status: 200, isDirect: false })
    expect(await ask('music/put/a.mp3', { headers: bearer })).toMatchObject({ text: content, isDirect: true })
  }
  expect((await ask('music/put/a.mp3', { method: 'PUT', body: 'no' })).status).toBe(403)
  expect((await ask('music/open/a.mp3?apikey=reader', { method: 'PUT', body: 'no' })).status).toBe(403)
  expect((await ask('music/put/a.mp3', { method: 'DELETE', headers: bearer })).status).toBe(204)
  expect((await ask('music/put/a.mp3', { headers: bearer })).status).toBe(404)
})

test('other methods are refused, and a POST that S3 does not know', async () => {
  for (const method of ['OPTIONS', 'PATCH', 'PROPFIND', 'POST']) {
    expect((await ask('music/open/one.mp3', { method, headers: bearer })).status, method).toBe(405)
  }
  const made = await ask('music/up.bin?uploads', { method: 'POST', headers: bearer })
  expect(made.text).toContain('<UploadId>')
})

test('the pages of nginx.filedist, listings and signed requests are answered by the file service', async () => {
  expect((await ask('__readme.txt', { headers: bearer })).text).toContain(`http://127.0.0.1:${nginx.port}/music/`)
  expect((await ask('__index__/', { headers: bearer })).text).toContain('music')
  expect((await ask('__missing__/', { headers: bearer })).status).toBe(200)
  expect((await ask('__missing__/', { method: 'PUT', headers: bearer })).status).toBe(405)
  const client = new S3Client({
    endpoint: nginx.url,
    region: 'eu-central-1',
    forcePathStyle: true,
    credentials: { accessKeyId: WRITER.accessKey, secretAccessKey: WRITER.secret },
  })
  const Body = noise(2 * MIB, 3)
  await client.send(new PutObjectCommand({ Bucket: 'music', Key: 's3/large one.bin', Body }))
  expect(sha256(readFileSync(service.at('music', 's3/large one.bin')))).toBe(sha256(Body))
  const stream = Readable.from([Body.subarray(0, MIB), Body.subarray(MIB)])
  await client.send(
    new PutObjectCommand({ Bucket: 'music', Key: 's3/chunked.bin', Body: stream, ContentLength: Body.byteLength }),
  )
  expect(sha256(readFileSync(service.at('music', 's3/chunked.bin')))).toBe(sha256(Body))
  const listed = await client.send(new ListObjectsV2Command({ Bucket: 'music', Prefix: 's3/' }))
  expect(listed.Contents?.map(({ Key }) => Key)).toEqual(['s3/chunked.bin', 's3/large one.bin'])
  client.destroy()
})

test('a large body is written by nginx and only taken by the file service', async () => {
  const content = noise(3 * MIB + 7, 8)
  const before = written()
  const answer = await put('music/large/a b.mp3', content, {
    'repr-digest': `sha-256=:${createHash('sha256').update(content).digest('base64')}:`,
    'content-type': 'audio/mpeg',
  })
  expect(answer).toMatchObject({ status: 200 })
  expect(written() - before).toBeLessThan(MIB)
  expect(sha256(readFileSync(service.at('music', 'large/a b.mp3')))).toBe(sha256(content))
  const asked = await fetch(`${service.url}/music/large/a%20b.mp3`, { method: 'HEAD', headers: bearer })
  expect(asked.headers.get('etag')).toBe(answer.headers.get('etag'))
  expect(asked.headers.get('content-type')).toBe('audio/mpeg')
  expect(await ask('music/large/a%20b.mp3', { headers: { ...bearer, range: 'bytes=0-3' } })).toMatchObject({
    status: 206,
    isDirect: true,
  })
  expect(incoming()).toEqual([])
})

/** Bytes that the file service has written so far, to whatever. */
function written(): number {
  const text = readFileSync(`/proc/${service.program.child.pid}/io`, 'utf8')
  return Number(/^wchar: (\d+)$/m.exec(text)?.[1])
}

test('a large body that is not what was announced leaves nothing, nor does one that may not come', async () => {
  const content = noise(MIB, 9)
  const wrong = `sha-256=:${createHash('sha256').update('else').digest('base64')}:`
  expect((await put('music/bad/a.mp3', content, { 'repr-digest': wrong })).status).toBe(400)
  expect((await put('music/bad/a.mp3', content, { 'if-match': '"else"' })).status).toBe(404)
  expect((await put('music/bad/a.mp3', content, { authorization: 'Bearer reader' })).status).toBe(403)
  expect((await ask('music/bad/a.mp3', { method: 'PUT', body: content })).status).toBe(403)
  expect(existsSync(service.at('music', 'bad'))).toBe(false)
  await vi.waitFor(() => expect(incoming()).toEqual([]), { timeout: 10_000 })
})

test('a client that stops midway leaves nothing', async () => {
  const head = `PUT /music/half/a.mp3 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${API_KEY}\r\nContent-Length: 4000000\r\n\r\n`
  const socket = connect(nginx.port, '127.0.0.1')
  socket.write(head)
  socket.write(noise(MIB, 4))
  await vi.waitFor(() => expect(incoming()).toHaveLength(1), { timeout: 10_000 })
  socket.destroy()
  await vi.waitFor(() => expect(incoming()).toEqual([]), { timeout: 10_000 })
  expect(existsSync(service.at('music', 'half'))).toBe(false)
})

test('what only nginx may say means nothing from a client', async () => {
  writeFiles(service.at('music'), { '.flotilla-tmp-incoming/0000000001': noise(200_000, 5) })
  const file = service.at('music', '.flotilla-tmp-incoming/0000000001')
  const claimed = { 'x-flotilla-body-file': file, 'x-flotilla-body-bytes': '200000', 'x-accel-redirect': '/music/x' }
  for (const url of [nginx.url, service.url]) {
    for (const content of ['mine', 'm'.repeat(200_000)]) {
      const answer = await fetch(`${url}/music/claimed.mp3`, {
        method: 'PUT',
        body: content,
        headers: { ...bearer, ...claimed },
      })
      expect(answer.status).toBe(200)
      expect(readFileSync(service.at('music', 'claimed.mp3'), 'utf8')).toBe(content)
    }
    const read = await fetch(`${url}/music/other/three.mp3`, { headers: { ...bearer, ...claimed } })
    expect(await read.text()).toBe('three')
  }
  expect(existsSync(file)).toBe(true)
  await put('music/evil.mp3', 'x', { 'x-amz-meta-x-accel-redirect': '/music/other/three.mp3' })
  const evil = await ask('music/evil.mp3', { headers: { ...bearer, 'if-none-match': '"none"' } })
  expect(evil).toMatchObject({ text: 'x', isDirect: false })
})

function residentMib(): number {
  const status = readFileSync(`/proc/${service.program.child.pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024
}

test('a large body that goes through nginx costs neither process memory', async () => {
  const bytes = process.env['FLOTILLA_SOAK'] === '1' ? 1024 * MIB : 192 * MIB
  const path = join(service.folder, 'sparse')
  const descriptor = openSync(path, 'w')
  ftruncateSync(descriptor, bytes)
  closeSync(descriptor)
  const before = residentMib()
  let peak = 0
  const watch = setInterval(() => {
    peak = Math.max(peak, residentMib())
  }, 20)
  const sent = request(`${nginx.url}/music/huge.bin`, {
    method: 'PUT',
    headers: { ...bearer, 'content-length': bytes },
  })
  createReadStream(path, { highWaterMark: MIB }).pipe(sent)
  const [answer] = await once(sent, 'response')
  clearInterval(watch)
  expect(answer.statusCode).toBe(200)
  answer.resume()
  const head = await ask('music/huge.bin', { method: 'HEAD', headers: bearer })
  expect(head.headers.get('content-length')).toBe(String(bytes))
  expect(peak).toBeGreaterThan(0)
  expect(peak - before).toBeLessThan(64)
}, 300_000)

test('when the file service is stopped, local files are read all the same', async () => {
  service.program.child.kill('SIGSTOP')
  try {
    expect(await ask('music/open/one.mp3', { headers: bearer })).toMatchObject({ text: 'one', isDirect: true })
    expect(await ask('music/open/one.mp3', { headers: { ...bearer, range: 'bytes=2-' } })).toMatchObject({ text: 'e' })
    const head = await ask('music/open/one.mp3?apikey=reader', { method: 'HEAD' })
    expect(head.status).toBe(200)
  } finally {
    service.program.child.kill('SIGCONT')
  }
})

test('what is put at a root behind nginx is read from the nginx of its child, whatever its size', async () => {
  const args = ['--nginx-socket', 'nginx.sock']
  const keys = `${API_KEY} write\nfeeder parent var\n`
  const child = await startFileService({ trees: ['var'], keys, args })
  onTestFinished(async () => child.stop())
  const childNginx = await openFiledistNginx(child)
  onTestFinished(async () => childNginx.stop())
  const keyFile = join(child.folder, 'feeder')
  writeFileSync(keyFile, 'feeder\n', { mode: 0o600 })
  const fed = ['--child', childNginx.url, '--child-key-file', keyFile, '--ack', 'all']
  const root = await startFileService({ trees: ['var'], keys, args: [...args, ...fed] })
  onTestFinished(async () => root.stop())
  const rootNginx = await openFiledistNginx(root)
  onTestFinished(async () => rootNginx.stop())
  for (const content of [Buffer.from('small'), noise(5 * MIB + 3, 12)]) {
    const answer = await fetch(`${rootNginx.url}/var/a/x.mp3`, {
      method: 'PUT',
      body: new Uint8Array(content),
      headers: bearer,
    })
    const lines = await answer.text()
    expect(answer.status, lines).toBe(201)
    expect(lines.split('\n')).toHaveLength(3)
    for (const url of [rootNginx.url, childNginx.url]) {
      const read = await fetch(`${url}/var/a/x.mp3`, { headers: bearer })
      expect(read.headers.has('x-amz-request-id')).toBe(false)
      expect(sha256(new Uint8Array(await read.arrayBuffer()))).toBe(sha256(content))
    }
  }
  // Removed here to make room, it is still read from the child.
  rmSync(root.at('var', 'a/x.mp3'))
  await vi.waitFor(async () => {
    const read = await fetch(`${rootNginx.url}/var/a/x.mp3`, { headers: bearer })
    expect((await read.arrayBuffer()).byteLength).toBe(5 * MIB + 3)
  })
  const gone = await fetch(`${rootNginx.url}/var/a/x.mp3`, { method: 'DELETE', headers: bearer })
  expect(gone.status).toBe(200)
  expect(existsSync(child.at('var', 'a/x.mp3'))).toBe(false)
})

const asRoot = await needs({ tools: ['nginx'], root: true })
asRoot(
  'a disk that becomes full while nginx writes a body: it is refused, nothing is left, and there is room again',
  async () => {
    const tree = tinyDisk(4096)
    const args = ['--tree', `var=${tree}`, '--nginx-socket', 'nginx.sock']
    const own = await startFileService({ trees: [], keys: `${API_KEY} write\n`, args })
    onTestFinished(async () => own.stop())
    const before = await openFiledistNginx(own)
    onTestFinished(async () => before.stop())
    const putThere = async (key: string, content: Buffer): Promise<number> => {
      const init = { method: 'PUT', body: new Uint8Array(content), headers: bearer }
      const answer = await fetch(`${before.url}/var/${key}`, init)
      await answer.arrayBuffer()
      return answer.status
    }
    const held = noise(MIB, 3)
    expect(await putThere('a', held)).toBe(200)
    for (const key of ['a', 'new/b']) expect(await putThere(key, noise(6 * MIB, 4))).toBeGreaterThanOrEqual(500)
    const left = (): readonly string[] =>
      readdirSync(tree, { recursive: true, withFileTypes: true })
        .filter((one) => one.isFile())
        .map(({ name }) => name)
    await vi.waitFor(() => expect(left()).toEqual(['a']), { timeout: 20_000 })
    expect(readFileSync(join(tree, 'a')).equals(held)).toBe(true)
    expect(await putThere('c', noise(2 * MIB, 5))).toBe(200)
  },
)

test('under the path that nginx.filedist had, files are where they were', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-filedist-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFiles(folder, { 'export/webroot/var/old.mp3': 'old' })
  const tree = join(folder, 'export/webroot/var')
  const args = ['--tree', `var=${tree}`, '--nginx-socket', 'nginx.sock']
  const own = await startFileService({ trees: [], keys: `${API_KEY} write\nreader read var/in\n`, args })
  onTestFinished(async () => own.stop())
  const before = await openFiledistNginx(own, ['-r', folder, '-p', 'export/webroot/var'])
  onTestFinished(async () => before.stop())
  const at = `${before.url}/export/webroot/var`
  const old = await fetch(`${at}/old.mp3`, { headers: bearer })
  expect([old.status, await old.text(), old.headers.has('x-amz-request-id')]).toEqual([200, 'old', false])
  for (const content of ['small', 'l'.repeat(MIB)]) {
    const put = await fetch(`${at}/in/a%20b.mp3`, { method: 'PUT', body: content, headers: bearer })
    expect(put.status).toBe(200)
    expect(readFileSync(join(tree, 'in/a b.mp3'), 'utf8')).toBe(content)
    for (const url of [`${at}/in/a%20b.mp3?apikey=reader`, `${before.url}/var/in/a%20b.mp3?apikey=reader`]) {
      expect(await (await fetch(url)).text()).toBe(content)
    }
  }
  expect((await fetch(`${at}/old.mp3?apikey=reader`)).status).toBe(403)
  expect((await fetch(`${at}/in/a%20b.mp3`, { method: 'DELETE', headers: bearer })).status).toBe(204)
  expect(existsSync(join(tree, 'in'))).toBe(false)
  expect((await fetch(`${at}/../../../etc/passwd`, { headers: bearer })).status).toBe(404)
})
