import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, vi } from 'vitest'
import { READER, startFileService, WRITER, type FileService } from '../helpers/file-service.ts'
import { writeFiles } from '../helpers/folder.ts'
import { needs } from '../helpers/needs.ts'
import { md5, noise, ODD_KEYS, runClient } from '../helpers/s3-clients.ts'

/** s3cmd against a file service, in both directions. */

// Real processes, of which some begin slowly.
vi.setConfig({ testTimeout: 90_000 })
const test = await needs({ tools: ['s3cmd'] })
const LARGE = noise(11 * 1024 * 1024 + 3, 2)
let service: FileService

beforeAll(async () => {
  service = await startFileService({ trees: ['data', 'other'] })
})

afterAll(async () => await service?.stop())

type Credential = typeof WRITER

async function s3cmd(args: readonly string[], { accessKey, secret }: Credential = WRITER): Promise<string> {
  const host = `127.0.0.1:${service.port}`
  const where = ['-c', '/dev/null', '--no-ssl', `--host=${host}`, `--host-bucket=${host}/%(bucket)`]
  const who = [`--access_key=${accessKey}`, `--secret_key=${secret}`]
  return await runClient('s3cmd', [...where, ...who, '--no-progress', ...args], {
    cwd: service.folder,
    env: { LC_ALL: 'C.UTF-8' },
  })
}

test('buckets are the trees', async () => {
  const names = (await s3cmd(['ls'])).match(/s3:\/\/\S+/g)
  expect(names).toEqual(['s3://data', 's3://other'])
  expect(await s3cmd(['info', 's3://data'])).toContain('Location:')
})

test('files go up, are told about, come down and are taken away', async () => {
  writeFiles(join(service.folder, 'in'), Object.fromEntries(ODD_KEYS.map((key) => [key, `content of ${key}`])))
  await s3cmd(['put', '--recursive', 'in/', 's3://data/odd/'])
  mkdirSync(join(service.folder, 'out'))
  await s3cmd(['get', '--recursive', 's3://data/odd/', 'out/'])
  for (const key of ODD_KEYS) {
    expect(readFileSync(service.at('data', `odd/${key}`), 'utf8')).toBe(`content of ${key}`)
    expect(readFileSync(join(service.folder, 'out', key), 'utf8')).toBe(`content of ${key}`)
  }
  const info = await s3cmd(['info', 's3://data/odd/plain.txt'])
  expect(info).toContain('File size: 20')
  expect(info).toContain(`MD5 sum:   ${md5(Buffer.from('content of plain.txt'))}`)
  await s3cmd(['del', 's3://data/odd/plain.txt'])
  expect(existsSync(service.at('data', 'odd/plain.txt'))).toBe(false)
  await s3cmd(['del', '--recursive', '--force', 's3://data/odd/'])
  expect(await s3cmd(['ls', '-r', 's3://data/'])).toBe('')
})

test('a large file goes up in parts and is one file', async () => {
  writeFiles(service.folder, { 'large.bin': LARGE })
  await s3cmd(['put', '--multipart-chunk-size-mb=5', 'large.bin', 's3://data/large.bin'])
  expect(md5(readFileSync(service.at('data', 'large.bin')))).toBe(md5(LARGE))
  expect(await s3cmd(['multipart', 's3://data'])).not.toContain('large.bin')
  await s3cmd(['get', 's3://data/large.bin', 'large.back'])
  expect(md5(readFileSync(join(service.folder, 'large.back')))).toBe(md5(LARGE))
  await s3cmd(['cp', 's3://data/large.bin', 's3://other/copy.bin'])
  expect(md5(readFileSync(service.at('other', 'copy.bin')))).toBe(md5(LARGE))
})

test('a folder is kept in step both ways', async () => {
  writeFiles(service.folder, { 'tree/a.txt': 'a', 'tree/b/c d.txt': 'c', 'tree/gone.txt': 'gone' })
  await s3cmd(['sync', 'tree/', 's3://data/synced/'])
  expect(await s3cmd(['sync', 'tree/', 's3://data/synced/'])).not.toContain('upload')
  rmSync(join(service.folder, 'tree/gone.txt'))
  writeFiles(service.folder, { 'tree/a.txt': 'changed' })
  await s3cmd(['sync', '--delete-removed', 'tree/', 's3://data/synced/'])
  expect(existsSync(service.at('data', 'synced/gone.txt'))).toBe(false)

  await s3cmd(['sync', 's3://data/synced/', 'copy/'])
  expect(readFileSync(join(service.folder, 'copy/a.txt'), 'utf8')).toBe('changed')
  expect(readFileSync(join(service.folder, 'copy/b/c d.txt'), 'utf8')).toBe('c')
  writeFiles(service.at('data'), { 'synced/new.om': 'put there by another program' })
  await expect.poll(async () => await s3cmd(['ls', 's3://data/synced/']), { timeout: 30_000 }).toContain('new.om')
  await s3cmd(['sync', 's3://data/synced/', 'copy/'])
  expect(existsSync(join(service.folder, 'copy/new.om'))).toBe(true)
})

test('who only reads is told so', async () => {
  writeFiles(service.folder, { no: 'no' })
  await expect(s3cmd(['put', 'no', 's3://data/no'], READER)).rejects.toThrow(/AccessDenied|403/)
  await expect(s3cmd(['ls', 's3://data'], { ...READER, secret: 'wrong' })).rejects.toThrow(/SignatureDoesNotMatch/)
  expect(await s3cmd(['ls', 's3://data/'], READER)).toContain('s3://data/')
})
