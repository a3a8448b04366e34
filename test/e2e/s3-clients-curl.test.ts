import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, vi } from 'vitest'
import { API_KEY, READER, startFileService, WRITER, type FileService } from '../helpers/file-service.ts'
import { writeFiles } from '../helpers/folder.ts'
import { needs } from '../helpers/needs.ts'
import { runClient } from '../helpers/s3-clients.ts'

/** curl against a file service: by signature, by key, and with the requests that servers in front and scripts send. */

// Real processes, of which some begin slowly.
vi.setConfig({ testTimeout: 90_000 })
const test = await needs({ tools: ['curl'] })
const BODY = '0123456789'
let service: FileService

beforeAll(async () => {
  const keys = `${API_KEY}\nkey-of-runs read data/run/\n`
  service = await startFileService({ trees: ['data'], keys, args: ['--open-json'] })
  writeFiles(service.at('data'), { 'run/a b.om': BODY, 'run/meta.json': '{"run":12}', 'other/c.om': 'other' })
  const isServed = async (): Promise<void> => expect(await curl(`data/other/c.om?apikey=${API_KEY}`)).toBe('other')
  await vi.waitFor(isServed, { timeout: 30_000, interval: 100 })
})

afterAll(async () => await service?.stop())

async function curl(path: string, ...args: readonly string[]): Promise<string> {
  return await runClient('curl', ['-sS', '--max-time', '15', ...args, `${service.url}/${path}`], {
    cwd: service.folder,
  })
}

const status = async (path: string, ...args: readonly string[]): Promise<number> =>
  Number(await curl(path, '-o', '/dev/null', '-w', '%{http_code}', ...args))
const signed = ({ accessKey, secret } = WRITER): readonly string[] => [
  '--aws-sigv4',
  'aws:amz:us-east-1:s3',
  '--user',
  `${accessKey}:${secret}`,
]

test('by signature: files are put, read, listed and taken away', async () => {
  writeFiles(service.folder, { 'up.txt': 'from curl' })
  expect(
    await status('data/up/one.txt', '-T', 'up.txt', ...signed(), '-H', 'x-amz-content-sha256: UNSIGNED-PAYLOAD'),
  ).toBe(200)
  expect(readFileSync(service.at('data', 'up/one.txt'), 'utf8')).toBe('from curl')
  expect(await curl('data/up/one.txt', ...signed(READER))).toBe('from curl')
  expect(await curl('data?list-type=2&prefix=up%2F', ...signed(READER))).toContain('<Key>up/one.txt</Key>')
  expect(await status('data/up/one.txt', '-X', 'DELETE', ...signed(READER))).toBe(403)
  expect(await status('data/up/one.txt', '-X', 'DELETE', ...signed({ ...WRITER, secret: 'wrong' }))).toBe(403)
  expect(await status('data/up/one.txt', '-X', 'DELETE', ...signed())).toBe(204)
  expect(await status('data/up/one.txt', ...signed())).toBe(404)
})

test('by key: only what it is for, and never to write', async () => {
  const file = 'data/run/a%20b.om'
  expect(await curl(`${file}?apikey=key-of-runs`)).toBe(BODY)
  expect(await curl(file, '-H', `Authorization: Bearer ${API_KEY}`)).toBe(BODY)
  expect(await status('data/other/c.om?apikey=key-of-runs')).toBe(403)
  expect(await status(file)).toBe(403)
  expect(await status(`${file}?apikey=KEY-OF-RUNS`)).toBe(401)
  expect(await curl(`${file}?apikey=wrong`)).toBe('{"error":true,"reason":"Invalid API key"}')
  expect(await status(`${file}?apikey=${API_KEY}`, '-X', 'PUT', '-d', 'x')).toBe(403)
  expect(await curl('data/run/meta.json')).toBe('{"run":12}')
})

test('ranges and conditions', async () => {
  const file = `data/run/a%20b.om?apikey=${API_KEY}`
  const head = await curl(file, '-I')
  expect(head).toMatch(/content-length: 10\r/i)
  const etag = /etag: (\S+)/i.exec(head)?.[1] ?? ''
  const modified = /last-modified: ([^\r]+)/i.exec(head)?.[1] ?? ''
  expect(await curl(file, '-r', '3-5', '-H', `If-Match: ${etag}`)).toBe('345')
  expect(await curl(file, '-r', '-2')).toBe('89')
  expect(await curl(file, '-r', '0-1', '-H', 'If-Range: "other"')).toBe(BODY)
  expect(await status(file, '-r', '10-')).toBe(416)
  expect(await status(file, '-H', 'If-Match: "other"')).toBe(412)
  expect(await status(file, '-H', `If-None-Match: ${etag}`)).toBe(304)
  expect(await status(file, '-H', `If-Modified-Since: ${modified}`)).toBe(304)
  expect(await status(file, '-H', 'If-Unmodified-Since: Mon, 01 Jan 2024 00:00:00 GMT')).toBe(412)
  // What is interrupted is gone on with.
  writeFiles(service.folder, { part: BODY.slice(0, 4) })
  await curl(file, '-C', '-', '-o', 'part')
  expect(readFileSync(`${service.folder}/part`, 'utf8')).toBe(BODY)
})

test('paths that lead elsewhere lead nowhere', async () => {
  for (const path of [
    'data/../credentials',
    'data/%2e%2e/credentials',
    'data/run/..%2f..%2fcredentials',
    '../credentials',
  ]) {
    expect(await status(`${path}?apikey=${API_KEY}`, '--path-as-is')).toBe(404)
  }
})
