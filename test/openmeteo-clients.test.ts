import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect } from 'vitest'
import { request } from 'undici'
import { memoryTree, type MemoryServedTree, openFileServer } from './helpers/file-server.ts'
import { FIXTURES, needs } from './helpers/needs.ts'

const test = await needs({ fixtures: true })
const golden = (name: string): string => readFileSync(join(FIXTURES, 'openmeteo/golden', name), 'utf8')

const FOLDER = 'cmc_gem_gdps/shortwave_radiation/'
const CHUNK = Buffer.alloc(20_000_000, 'open-meteo chunk ')
const META = '{"chunk_time_length":253,"temporal_resolution_seconds":3600}'
const MODIFIED = Date.parse('2026-08-20T09:54:22.000Z')

let data: MemoryServedTree
let trees: readonly MemoryServedTree[]
beforeEach(() => {
  data = memoryTree('data')
  data.index.put(`${FOLDER}chunk_1430.om`, CHUNK, MODIFIED + 345)
  data.index.put(`${FOLDER}chunk_1431.om`, CHUNK.subarray(0, 5000), MODIFIED + 39_000)
  data.index.put('cmc_gem_gdps/static/meta.json', META, MODIFIED)
  data.index.put('dwd_icon_d2/static/meta.json', META, MODIFIED)
  trees = [data, memoryTree('data_run'), memoryTree('data_spatial')]
})

interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

/** The requests of the file, as they stand there: no client of ours could write them otherwise. */
function recordedRequests(): readonly Asked[] {
  const asked: { method: string; path: string; headers: Record<string, string> }[] = []
  for (const line of golden('client-requests.txt').split('\n')) {
    const [, method, path] = /^(GET|HEAD) (\S+)$/.exec(line) ?? []
    const [, name = '', value = ''] = /^ {2}([\w-]+): (.*)$/.exec(line) ?? []
    if (method !== undefined && path !== undefined) asked.push({ method, path, headers: {} })
    else if (name !== '') asked.at(-1)!.headers[name] = value
  }
  return asked
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

async function ask(url: string, { method, path, headers }: Partial<Asked>): Promise<Answer> {
  const answer = await request(url + path, { method: (method ?? 'GET') as 'GET', headers: headers ?? {} })
  return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() }
}

/** As its clients look: for texts, not for XML. */
const between = (text: string, name: string): readonly string[] =>
  [...text.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map(([, value = '']) => value)

test('every request that its clients make is answered as they need it', async () => {
  const { url } = await openFileServer({ trees, keys: 'mykey123 read\n', open: { openJson: true } })
  const asked = recordedRequests()
  expect(asked.length).toBe(8)
  const [models, variable, statics, head, range, meta, old, followUp] = asked as [
    Asked,
    Asked,
    Asked,
    Asked,
    Asked,
    Asked,
    Asked,
    Asked,
  ]

  const folders = await ask(url, models)
  expect(folders.status).toBe(200)
  expect(folders.headers['content-type']).toBe('application/xml')
  expect(folders.text).toBe(golden('server-list-model.xml'))

  const files = await ask(url, variable)
  const listed = golden('server-list-variable.xml').replace('123456789', '20000000').replace('98765432', '5000')
  expect(files.text).toBe(listed)
  expect(between((await ask(url, statics)).text, 'Key')).toEqual(['data/cmc_gem_gdps/static/meta.json'])

  const { status, headers } = await ask(url, head)
  expect(status).toBe(200)
  expect(headers).toMatchObject({ 'content-length': '20000000', 'last-modified': 'Thu, 20 Aug 2026 09:54:22 GMT' })
  const etag = headers['etag'] as string
  expect(etag).toMatch(/^"[\w-]+"$/)

  const parts: string[] = []
  for (let start = 0; start < 20_000_000; start += 8_388_608) {
    const bytes = `bytes=${start}-${Math.min(start + 8_388_607, 19_999_999)}`
    const part = await ask(url, { ...range, headers: { ...range.headers, range: bytes, 'If-Match': etag } })
    expect(part.status).toBe(206)
    expect(part.headers['content-range']).toBe(`${bytes.replace('=', ' ')}/20000000`)
    parts.push(part.text)
  }
  expect(parts.join('') === CHUNK.toString()).toBe(true)
  // The ETag of the recording is another server's.
  expect((await ask(url, range)).status).toBe(412)

  expect(await ask(url, meta)).toMatchObject({ status: 200, text: META })
  const open = await openFileServer({ trees })
  expect(between((await ask(open.url, old)).text, 'Key')).toEqual(['data/dwd_icon_d2/static/meta.json'])
  const token = Buffer.from('data/cmc_gem_gdps/shortwave_radiation/').toString('base64url')
  const path = followUp.path.replace('prefix=...', 'prefix=data%2Fcmc_gem_gdps%2F').replace('<percent-encoded>', token)
  expect(between((await ask(url, { path: path.replace('apikey=...', 'apikey=mykey123') })).text, 'Prefix')).toEqual([
    'data/cmc_gem_gdps/',
    'data/cmc_gem_gdps/static/',
  ])
})

test('the roots are listed as from its server, by either path', async () => {
  const { url } = await openFileServer({ trees })
  for (const path of ['/?list-type=2&delimiter=%2F&prefix=', '/openmeteo/?prefix=&delimiter=/&list-type=2']) {
    expect((await ask(url, { path })).text).toBe(golden('server-list-root.xml'))
  }
  const listed = await ask(url, { path: `/openmeteo?delimiter=/&list-type=2&prefix=data/${FOLDER}` })
  expect(between(listed.text, 'Key')).toHaveLength(2)
  const file = await ask(url, { path: `/openmeteo/data/${FOLDER}chunk_1431.om` })
  expect(file.text).toBe(CHUNK.subarray(0, 5000).toString())
})

test('a whole folder comes in one body, whatever its size, when nobody asks for pages', async () => {
  for (let number = 0; number < 4000; number++) data.index.put(`m/v/chunk_${number}.om`, 'chunk', MODIFIED)
  const { url } = await openFileServer({ trees })
  const path = '/?list-type=2&delimiter=%2F&prefix=data%2Fm%2Fv%2F'
  const { text } = await ask(url, { path })
  expect(between(text, 'Key')).toHaveLength(4000)
  expect(between(text, 'IsTruncated')).toEqual(['false'])
  const paged = await ask(url, { path: `${path}&max-keys=1000` })
  expect(between(paged.text, 'Key')).toHaveLength(1000)
  expect(between(paged.text, 'IsTruncated')).toEqual(['true'])
})

test('keys: a wrong one and none are refused in its form and in that of S3; JSON may be open', async () => {
  const { url } = await openFileServer({ trees, keys: 'mykey123 read data/cmc_gem_gdps\n', open: { openJson: true } })
  const chunk = `/data/${FOLDER}chunk_1431.om`
  const wrong = await ask(url, { path: `${chunk}?apikey=guess` })
  expect(wrong).toMatchObject({ status: 401, text: '{"error":true,"reason":"Invalid API key"}' })
  expect(wrong.headers['content-type']).toBe('application/json')
  expect(await ask(url, { path: `/data/dwd_icon_d2/x.om?apikey=mykey123` })).toMatchObject({
    status: 403,
    text: '{"error":true,"reason":"Forbidden"}',
  })
  expect(await ask(url, { path: `${chunk}2?apikey=mykey123` })).toMatchObject({ status: 404 })
  expect((await ask(url, { path: chunk })).status).toBe(403)
  expect((await ask(url, { path: '/data/dwd_icon_d2/static/meta.json' })).text).toBe(META)
  expect((await ask(url, { path: '/?list-type=2&delimiter=/&prefix=data/' })).status).toBe(403)
})

test('a rate is kept to', async () => {
  const { url } = await openFileServer({ trees })
  const begun = performance.now()
  const answer = await ask(url, { path: `/data/${FOLDER}chunk_1430.om?rate=20` })
  expect(answer.text.length).toBe(20_000_000)
  // 19 MiB at 20 MiB/s; a quarter of a second may be ahead.
  expect(performance.now() - begun).toBeGreaterThan(600)
})

test('large files are left to the nginx in front, with their rate, where nginx can know what to answer', async () => {
  const sendfile = { prefix: 'internal', minBytes: 1_000_000 }
  data.index.put('odd/ü x.om', CHUNK)
  data.index.put('odd//x.om', CHUNK)
  const { url } = await openFileServer({ trees, sendfile })
  const path = `/data/${FOLDER}chunk_1430.om`
  const left = await ask(url, { path: `${path}?rate=5` })
  expect(left).toMatchObject({ status: 200, text: '' })
  expect(left.headers).toMatchObject({ 'x-accel-redirect': `/internal${path}`, 'x-accel-limit-rate': '5242880' })
  expect((await ask(url, { path: '/data/odd/%C3%BC%20x.om' })).headers['x-accel-redirect']).toBe(
    '/internal/data/odd/%C3%BC%20x.om',
  )
  expect((await ask(url, { path, headers: { range: 'bytes=0-9' } })).headers['x-accel-redirect']).toBeDefined()
  for (const [own, headers] of [
    [`/data/${FOLDER}chunk_1431.om`, {}],
    [path, { 'if-match': '*' }],
    ['/data/odd//x.om', {}],
  ] as const) {
    const answer = await ask(url, { path: own, headers })
    expect(answer.status).toBe(200)
    expect(answer.headers['x-accel-redirect']).toBeUndefined()
  }
})

test('its servers send each other files in parts with SHA-256, and set the time', async () => {
  const { url } = await openFileServer({ trees, open: { openWrites: true } })
  const path = '/data/m/v/chunk_7.om'
  const headers = { 'x-file-size': '16777217', 'x-upload-id': '1234567890', 'x-last-modified': '1787219662' }
  const created = await ask(url, { method: 'POST', path: `${path}?uploads`, headers })
  expect(between(created.text, 'UploadId')).toEqual(['1234567890'])
  const parts = [CHUNK.subarray(0, 8_388_608), CHUNK.subarray(8_388_608, 16_777_216), Buffer.from('x')]
  let document = ''
  for (const [index, body] of parts.entries()) {
    const answer = await request(`${url}${path}?partNumber=${index + 1}&uploadId=1234567890`, { method: 'PUT', body })
    expect(answer.headers['etag']).toMatch(/^[0-9a-f]{64}$/)
    document += `<Part><PartNumber>${index + 1}</PartNumber><ETag>${String(answer.headers['etag'])}</ETag></Part>`
  }
  const complete = await request(`${url}${path}?uploadId=1234567890`, {
    method: 'POST',
    body: `<CompleteMultipartUpload>${document}</CompleteMultipartUpload>`,
  })
  expect(complete.statusCode).toBe(200)
  expect(await complete.body.text()).toBe('')
  const head = await ask(url, { method: 'HEAD', path })
  expect(head.headers).toMatchObject({ 'content-length': '16777217', 'last-modified': 'Thu, 20 Aug 2026 09:54:22 GMT' })
  const single = await request(`${url}/data/m/v/small.om`, {
    method: 'PUT',
    body: 'small',
    headers: { 'x-last-modified': '1787219662' },
  })
  expect(single.statusCode).toBe(200)
  expect(data.index.get('m/v/small.om')).toMatchObject({ size: 5, modifiedMs: 1_787_219_662_000 })
})
