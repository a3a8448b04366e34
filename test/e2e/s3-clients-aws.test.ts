import { existsSync, readFileSync, rmSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, vi } from 'vitest'
import { startFileService, WRITER, type FileService } from '../helpers/file-service.ts'
import { writeFiles } from '../helpers/folder.ts'
import { needs } from '../helpers/needs.ts'
import { md5, noise, ODD_KEYS, openTlsFront, runClient, type TlsFront } from '../helpers/s3-clients.ts'

/** Amazon's command line, as Debian has it, against a file service. */

// Real processes, of which some begin slowly.
vi.setConfig({ testTimeout: 90_000 })
const test = await needs({ tools: ['awscli', 'openssl'] })
const LARGE = noise(17 * 1024 * 1024 + 9, 4)
let service: FileService
let front: TlsFront

beforeAll(async () => {
  service = await startFileService({ trees: ['data', 'other'] })
  front = await openTlsFront(service.url, service.folder)
})

afterAll(async () => {
  await front?.close()
  await service?.stop()
})

async function aws(...args: readonly string[]): Promise<string> {
  return await awsAt(service.url, ...args)
}

async function awsAt(url: string, ...args: readonly string[]): Promise<string> {
  const env = {
    AWS_ACCESS_KEY_ID: WRITER.accessKey,
    AWS_SECRET_ACCESS_KEY: WRITER.secret,
    AWS_DEFAULT_REGION: 'eu-central-1',
    AWS_CA_BUNDLE: front.certificate,
    LC_ALL: 'C.UTF-8',
  }
  return await runClient('/usr/bin/aws', ['--endpoint-url', url, ...args], { cwd: service.folder, env })
}

test('a folder is kept in step both ways', async () => {
  const files = Object.fromEntries(ODD_KEYS.map((key) => [key, `content of ${key}`]))
  writeFiles(join(service.folder, 'local'), { ...files, 'gone.txt': 'gone', 'sub/large.bin': LARGE })
  // Listings tell whole seconds, as Amazon's do: what was written within the second before is sent once more.
  for (const key of [...ODD_KEYS, 'gone.txt', 'sub/large.bin']) utimesSync(join(service.folder, 'local', key), 1e9, 1e9)
  await aws('s3', 'sync', '--only-show-errors', 'local', 's3://data/up')
  for (const key of ODD_KEYS) expect(readFileSync(service.at('data', `up/${key}`), 'utf8')).toBe(`content of ${key}`)
  expect(md5(readFileSync(service.at('data', 'up/sub/large.bin')))).toBe(md5(LARGE))
  expect(await aws('s3', 'sync', '--dryrun', 'local', 's3://data/up')).toBe('')

  rmSync(join(service.folder, 'local/gone.txt'))
  await aws('s3', 'sync', '--only-show-errors', '--delete', 'local', 's3://data/up')
  expect(existsSync(service.at('data', 'up/gone.txt'))).toBe(false)

  await aws('s3', 'sync', '--only-show-errors', 's3://data/up', 'down')
  for (const key of ODD_KEYS) expect(readFileSync(join(service.folder, 'down', key), 'utf8')).toBe(`content of ${key}`)
  expect(md5(readFileSync(join(service.folder, 'down/sub/large.bin')))).toBe(md5(LARGE))
})

test('over TLS, through a pipe, within the server, and by a URL that was signed beforehand', async () => {
  writeFiles(service.folder, { 'one.txt': 'over TLS' })
  await awsAt(front.url, 's3', 'cp', '--only-show-errors', 'one.txt', 's3://data/tls/one.txt')
  await aws('s3', 'mv', '--only-show-errors', 's3://data/tls/one.txt', 's3://other/tls/two words.txt')
  expect(existsSync(service.at('data', 'tls/one.txt'))).toBe(false)
  expect(await awsAt(front.url, 's3', 'cp', 's3://other/tls/two words.txt', '-')).toBe('over TLS')
  const url = await aws('s3', 'presign', 's3://other/tls/two words.txt', '--expires-in', '60')
  expect(await (await fetch(url.trim())).text()).toBe('over TLS')
})

test('what is asked of single objects', async () => {
  writeFiles(service.folder, { 'body.txt': '0123456789' })
  const object = ['--bucket', 'data', '--key', 'single/a+b.txt']
  const meta = ['--metadata', 'run=12z', '--content-type', 'text/x-test', '--checksum-algorithm', 'SHA256']
  await aws('s3api', 'put-object', ...object, '--body', 'body.txt', ...meta)
  const head = JSON.parse(await aws('s3api', 'head-object', ...object, '--checksum-mode', 'ENABLED')) as unknown
  expect(head).toMatchObject({ ContentLength: 10, ContentType: 'text/x-test', Metadata: { run: '12z' } })
  expect(head).toMatchObject({ ChecksumSHA256: 'hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII=' })
  await aws('s3api', 'get-object', ...object, '--range', 'bytes=3-5', 'range.txt')
  expect(readFileSync(join(service.folder, 'range.txt'), 'utf8')).toBe('345')
  const listed = await aws('s3api', 'list-objects-v2', '--bucket', 'data', '--prefix', 'single/', '--fetch-owner')
  expect(JSON.parse(listed)).toMatchObject({ Contents: [{ Key: 'single/a+b.txt', Size: 10 }] })
  await aws('s3', 'rm', '--only-show-errors', '--recursive', 's3://data/single/')
  expect(existsSync(service.at('data', 'single'))).toBe(false)
})
