import { spawn } from 'node:child_process'
import { appendFileSync, readFileSync, symlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { afterAll, beforeAll, expect, vi } from 'vitest'
import { CONTENT_TYPES } from '../../src/fileserver/content-types.ts'
import { API_KEY, startFileService, WRITER, type FileService } from '../helpers/file-service.ts'
import { writeFiles } from '../helpers/folder.ts'
import { needs } from '../helpers/needs.ts'
import { openNginxBefore, type NginxBefore } from '../helpers/nginx-files.ts'
import { run } from '../helpers/program.ts'
import { md5, noise } from '../helpers/s3-clients.ts'

/** The configuration that is printed for nginx, on a real one, before a file service that runs. */

const MIB = 1024 * 1024
const LARGE = noise(3 * MIB + 11, 6)
const ODD_KEY = String.raw`k+y/=&$1"x\;{`
const KEYS = `${API_KEY}\nruns read data_run\nicon read data/icon/ data/gfs*\n${ODD_KEY}\n`
const CHUNK = 'data/icon/rain/chunk_1.om'

const test = await needs({ tools: ['nginx'] })
vi.setConfig({ testTimeout: 60_000 })
let service: FileService
let nginx: NginxBefore

beforeAll(async () => {
  // As a unit file of Open-Meteo's server has it.
  const env = { API_SYNC_APIKEYS: 'from-environment, another' }
  const args = ['--open-json', '--sendfile-prefix', 'sendfile']
  service = await startFileService({ trees: ['data', 'data_run'], keys: KEYS, args, env })
  writeFiles(service.at('data'), {
    'icon/rain/chunk_1.om': 'icon chunk',
    'icon/rain/chunk 2+.om': 'spaces',
    'icon/rain/.hidden.om': 'hidden',
    'icon/static/meta.json': '{"chunk_time_length":253}',
    'icon/large.om': LARGE,
    'icon/large one.om': LARGE,
    'icon2/rain.om': 'not icon',
    'gfs013/rain.om': 'gfs',
    '.flotilla-state/state.sqlite': 'ours',
  })
  writeFiles(service.at('data_run'), { 'icon/2026/rain.om': 'run' })
  writeFiles(service.folder, { 'secret/file.om': 'secret' })
  symlinkSync(`${service.folder}/secret/file.om`, service.at('data', 'icon/link.om'))
  symlinkSync(`${service.folder}/secret`, service.at('data', 'icon/linked'))
  symlinkSync('chunk_1.om', service.at('data', 'icon/rain/same.om'))
  nginx = await openNginxBefore(service, env)
  const isServed = async (): Promise<void> =>
    expect((await get('data_run/icon/2026/rain.om?apikey=runs')).status).toBe(200)
  await vi.waitFor(isServed, { timeout: 30_000, interval: 100 })
  await vi.waitFor(async () => expect((await head('data/gfs013/rain.om')).status).toBe(200), { timeout: 30_000 })
})

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

async function get(path: string, init: RequestInit = {}): Promise<Got> {
  const answer = await fetch(`${nginx.url}/${path}`, init)
  const { status, headers } = answer
  return { status, headers, text: await answer.text(), isDirect: !headers.has('x-amz-request-id') }
}

async function head(path: string): Promise<Response> {
  return await fetch(`${nginx.url}/${path}?apikey=${API_KEY}`, { method: 'HEAD' })
}

/** A path exactly as it is written. */
async function raw(path: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    let said = ''
    const socket = connect(nginx.port, '127.0.0.1')
    socket.on('data', (chunk) => (said += String(chunk)))
    socket.on('close', () => resolve(said))
    socket.on('error', reject)
    socket.write(`GET ${path} HTTP/1.1\r\nHost: files\r\nConnection: close\r\n\r\n`)
  })
}

test('nginx takes it, and sends what a key is for without asking', async () => {
  expect(nginx.verdict).toContain('test is successful')
  for (const key of [API_KEY, 'icon', 'from-environment', 'another', encodeURIComponent(ODD_KEY)]) {
    expect(await get(`${CHUNK}?apikey=${key}`), key).toMatchObject({ status: 200, text: 'icon chunk', isDirect: true })
  }
  expect(await get('data/gfs013/rain.om?apikey=icon')).toMatchObject({ text: 'gfs', isDirect: true })
  expect(await get('data/icon/static/meta.json')).toMatchObject({ text: '{"chunk_time_length":253}', isDirect: true })
})

test('types of content are those of the file service', async () => {
  const names = [
    ...Object.keys(CONTENT_TYPES).map((end) => `f.${end}`),
    'F.JSON',
    'f.json.om',
    'f.grib2',
    'json',
    'f.js',
    'f.constructor',
  ]
  writeFiles(service.at('data'), Object.fromEntries(names.map((name) => [`types.d/${name}`, 'x'])))
  for (const name of names) {
    await vi.waitFor(async () => expect((await head(`data/types.d/${name}`)).status).toBe(200), { timeout: 30_000 })
    const type = (await head(`data/types.d/${name}`)).headers.get('content-type')
    const sent = await get(`data/types.d/${name}?apikey=${API_KEY}`)
    expect([name, sent.isDirect, sent.headers.get('content-type')]).toEqual([name, true, type])
  }
})

test('without the right key there is nothing, in the words of the file service', async () => {
  const invalid = { status: 401, text: '{"error":true,"reason":"Invalid API key"}' }
  for (const key of ['wrong', 'ICON', 'ico', 'iconn', 'icon%20', '']) {
    expect(await get(`${CHUNK}?apikey=${key}`), key).toMatchObject(invalid)
  }
  expect((await get(CHUNK)).status).toBe(403)
  expect((await get('data/icon2/rain.om?apikey=icon')).status).toBe(403)
  expect((await get('data_run/icon/2026/rain.om?apikey=icon')).status).toBe(403)
  expect((await get(`${CHUNK}?apikey=runs`)).status).toBe(403)
  expect((await get(`${CHUNK}?apikey=wrong&apikey=icon`)).status).toBe(401)
})

test('what nginx would take for another file goes to the file service', async () => {
  expect(await get(`data/icon/rain/chunk%202%2B.om?apikey=${API_KEY}`)).toMatchObject({
    text: 'spaces',
    isDirect: false,
  })
  expect(await get(`data/icon/rain/chunk%5F1.om?apikey=${API_KEY}`)).toMatchObject({
    text: 'icon chunk',
    isDirect: false,
  })
  for (const path of [
    '/data/icon/rain/.hidden.om/none',
    '/data/.flotilla-state/state.sqlite',
    '/data/icon/../../secret/file.om',
    '/data/%2e%2e/secret/file.om',
    '/data/icon/..%2f..%2fsecret/file.om',
    '/data//icon/rain/chunk_1.om',
    '/data/icon/./rain/chunk_1.om',
    '/DATA/icon/rain/chunk_1.om',
    '/data/icon/RAIN/chunk_1.om',
    '/data/icon/link.om',
    '/data/icon/linked/file.om',
    '/data/icon/rain',
    '/data/none.om',
    '/sendfile/data/icon/large.om',
  ]) {
    const answer = await raw(`${path}?apikey=${API_KEY}`)
    expect(answer, path).toMatch(/^HTTP\/1\.1 404 /)
    expect(answer, path).not.toContain('\r\n\r\nsecret')
  }
})

test('HEAD, and ranges only while the file is still the same, as Open-Meteo’s clients ask', async () => {
  const seen = await head('data/icon/large.om')
  const etag = seen.headers.get('etag') ?? ''
  expect(seen.headers.get('content-length')).toBe(String(LARGE.length))
  expect(etag).toMatch(/^".+"$/)
  const range = { range: `bytes=${MIB}-${2 * MIB - 1}`, 'if-match': etag }
  const part = await fetch(`${nginx.url}/data/icon/large.om?apikey=${API_KEY}`, { headers: range })
  expect(part.status).toBe(206)
  expect(part.headers.get('content-range')).toBe(`bytes ${MIB}-${2 * MIB - 1}/${LARGE.length}`)
  expect(md5(new Uint8Array(await part.arrayBuffer()))).toBe(md5(LARGE.subarray(MIB, 2 * MIB)))
  expect(await get(`${CHUNK}?apikey=icon`, { headers: { range: 'bytes=5-' } })).toMatchObject({
    status: 206,
    text: 'chunk',
  })

  appendFileSync(service.at('data', 'icon/large.om'), 'more')
  expect((await get(`data/icon/large.om?apikey=${API_KEY}`, { headers: range })).status).toBe(412)
})

test('a client of old may ask to be slowed down', async () => {
  const begun = performance.now()
  const answer = await fetch(`${nginx.url}/data/icon/large.om?apikey=${API_KEY}&rate=1`)
  expect(answer.headers.has('x-amz-request-id')).toBe(false)
  expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(3 * MIB)
  expect(performance.now() - begun).toBeGreaterThan(1500)
})

test('a large file that the file service was asked for is sent by nginx all the same', async () => {
  const path = `icon/large%20one.om?apikey=${API_KEY}`
  const before = await fetch(`${service.url}/data/${path}`)
  expect(before.headers.get('x-accel-redirect')).toBe('/sendfile/data/icon/large%20one.om')
  expect((await before.arrayBuffer()).byteLength).toBe(0)
  const answer = await fetch(`${nginx.url}/data/${path}`)
  expect(answer.headers.has('x-accel-redirect')).toBe(false)
  const etag = answer.headers.get('etag')
  expect(etag).toMatch(/^".+"$/)
  expect((await head('data/icon/large%20one.om')).headers.get('etag')).toBe(etag)
  expect(md5(new Uint8Array(await answer.arrayBuffer()))).toBe(md5(LARGE))
})

test('listings, signatures and uploads go through to the file service', async () => {
  const listed = await get(`?list-type=2&delimiter=/&prefix=data/icon/rain/&apikey=${API_KEY}`)
  expect(listed).toMatchObject({ status: 200, isDirect: false })
  expect(listed.text).toContain('<Key>data/icon/rain/chunk_1.om</Key>')
  expect(listed.text).not.toContain('hidden')

  const client = new S3Client({
    endpoint: nginx.url,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: WRITER.accessKey, secretAccessKey: WRITER.secret },
  })
  await client.send(new PutObjectCommand({ Bucket: 'data', Key: 'up/new file.om', Body: 'through nginx' }))
  expect(readFileSync(service.at('data', 'up/new file.om'), 'utf8')).toBe('through nginx')
  const Body = noise(11 * MIB, 7)
  const large = { Bucket: 'data', Key: 'up/large.om' }
  await new Upload({ client, params: { ...large, Body, Metadata: { run: '12z' } } }).done()
  expect(md5(readFileSync(service.at('data', 'up/large.om')))).toBe(md5(Body))
  // What was said of it when it was put is told by the file service only.
  expect(await client.send(new GetObjectCommand(large))).toMatchObject({ Metadata: { run: '12z' } })
  const found = await client.send(new ListObjectsV2Command({ Bucket: 'data', Prefix: 'up/' }))
  expect(found.Contents?.map(({ Key }) => Key)).toEqual(['up/large.om', 'up/new file.om'])
  expect((await get('data/up/one.om?apikey=icon', { method: 'PUT', body: 'no' })).status).toBe(403)
  client.destroy()
})

test('of a folder that is published as a whole the file service says which generation is visible', async () => {
  for (const content of ['first run', 'second run']) {
    writeFiles(service.folder, { 'run/rain.om': content })
    const tree = ['--tree', `data=${service.at('data')}`]
    const published = await run(['files', 'publish', 'run', 'data/icon/latest', ...tree], { cwd: service.folder })
    expect(published).toMatchObject({ code: 0 })
    const isVisible = async (): Promise<void> =>
      expect(await get('data/icon/latest/rain.om?apikey=icon')).toMatchObject({ text: content, isDirect: false })
    await vi.waitFor(isVisible, { timeout: 30_000, interval: 100 })
  }
})

test('a large file of a generation is sent by nginx from that very generation', async () => {
  for (const seed of [21, 22]) {
    const content = noise(MIB, seed)
    writeFiles(service.folder, { 'large run/rain one.om': content })
    const tree = ['--tree', `data=${service.at('data')}`]
    const published = await run(['files', 'publish', 'large run', 'data/icon/large run', ...tree], {
      cwd: service.folder,
    })
    expect(published).toMatchObject({ code: 0 })
    const path = `data/icon/large%20run/rain%20one.om?apikey=${API_KEY}`
    await vi.waitFor(
      async () => {
        const answer = await fetch(`${nginx.url}/${path}`)
        expect(md5(new Uint8Array(await answer.arrayBuffer()))).toBe(md5(content))
      },
      { timeout: 30_000, interval: 100 },
    )
    const before = await fetch(`${service.url}/${path}`)
    expect(before.headers.get('x-accel-redirect')).toMatch(
      /^\/sendfile\/data\/\.flotilla-generations\/icon%252Flarge%2520run\/\d-\w+\/rain%20one\.om$/,
    )
  }
})

test('no link leads nginx out of a tree that was put in the place of a file since the file service looked at it', async () => {
  const secret = Buffer.alloc(300 * 1024, 'secret ')
  const good = noise(300 * 1024, 9)
  writeFiles(service.folder, { 'secret/large.om': secret })
  writeFiles(service.at('data'), { 'race/good.om': good, 'race/large one.om': good })
  const place = service.at('data', 'race/large one.om')
  const script = `
    const { linkSync, renameSync, symlinkSync } = require('node:fs')
    const [place, good, secret] = process.argv.slice(1)
    for (const wait = new Int32Array(new SharedArrayBuffer(4)); ; Atomics.wait(wait, 0, 0, 1)) {
      symlinkSync(secret, place + '.link~')
      renameSync(place + '.link~', place)
      linkSync(good, place + '.good~')
      renameSync(place + '.good~', place)
    }`
  const args = [place, service.at('data', 'race/good.om'), `${service.folder}/secret/large.om`]
  const swapping = spawn(process.execPath, ['-e', script, ...args], { stdio: 'ignore' })
  try {
    const seen = { good: 0, refused: 0, secret: 0 }
    for (let turn = 0; turn < 300; turn++) {
      const answer = await fetch(`${nginx.url}/data/race/large%20one.om?apikey=${API_KEY}`)
      const bytes = Buffer.from(await answer.arrayBuffer())
      if (answer.status !== 200) seen.refused++
      else seen[bytes.equals(good) ? 'good' : 'secret']++
    }
    expect(seen.secret).toBe(0)
    expect(seen.good).toBeGreaterThan(0)
  } finally {
    swapping.kill('SIGKILL')
  }
})
