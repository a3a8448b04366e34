import { existsSync, mkdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, vi } from 'vitest'
import { startFileService, WRITER, type FileService } from '../helpers/file-service.ts'
import { writeFiles } from '../helpers/folder.ts'
import { needs } from '../helpers/needs.ts'
import { md5, noise, ODD_KEYS, runClient } from '../helpers/s3-clients.ts'

/** rclone against a file service: what it writes are plain files, and what lies there it reads. */

// Real processes, of which some begin slowly.
vi.setConfig({ testTimeout: 90_000 })
const test = await needs({ tools: ['rclone'] })
const LARGE = noise(6 * 1024 * 1024 + 17)
const MODIFIED = new Date('2026-03-01T10:20:30.500Z')
let service: FileService

beforeAll(async () => {
  service = await startFileService({ trees: ['data'] })
  const files = Object.fromEntries(ODD_KEYS.map((key) => [key, `content of ${key}`]))
  writeFiles(join(service.folder, 'local'), { ...files, 'sub/large.bin': LARGE })
  utimesSync(join(service.folder, 'local/plain.txt'), MODIFIED, MODIFIED)
})

afterAll(async () => await service?.stop())

async function rclone(...args: readonly string[]): Promise<string> {
  const env = {
    RCLONE_CONFIG: '/dev/null',
    RCLONE_CONFIG_S_TYPE: 's3',
    RCLONE_CONFIG_S_PROVIDER: 'Other',
    RCLONE_CONFIG_S_ENDPOINT: service.url,
    RCLONE_CONFIG_S_ACCESS_KEY_ID: WRITER.accessKey,
    RCLONE_CONFIG_S_SECRET_ACCESS_KEY: WRITER.secret,
  }
  // Its own parts begin at 200 MiB.
  return await runClient('rclone', [...args, '--retries', '1', '--s3-upload-cutoff', '5M'], {
    cwd: service.folder,
    env,
  })
}

interface Line {
  readonly Path: string
  readonly Size: number
  readonly ModTime: string
  readonly Hashes?: { readonly md5: string }
}

async function list(...args: readonly string[]): Promise<readonly Line[]> {
  return JSON.parse(await rclone('lsjson', '--files-only', '-R', ...args)) as Line[]
}

async function nothingToDo(...args: readonly string[]): Promise<boolean> {
  await rclone(...args, '-v', '--log-file', 'log')
  const log = readFileSync(join(service.folder, 'log'), 'utf8')
  rmSync(join(service.folder, 'log'))
  return log.includes('There was nothing to transfer')
}

test('what rclone copies up lies there as plain files, and comes down the same', async () => {
  await rclone('copy', 'local', 's:data/up')
  for (const key of ODD_KEYS) expect(readFileSync(service.at('data', `up/${key}`), 'utf8')).toBe(`content of ${key}`)
  expect(md5(readFileSync(service.at('data', 'up/sub/large.bin')))).toBe(md5(LARGE))

  const lines = new Map((await list('--hash', 's:data/up')).map((line) => [line.Path, line]))
  expect([...lines.keys()].toSorted()).toEqual([...ODD_KEYS, 'sub/large.bin'].toSorted())
  const { Size, Hashes, ModTime } = lines.get('plain.txt') ?? {}
  expect({ Size, md5: Hashes?.md5 }).toEqual({ Size: 20, md5: md5(Buffer.from('content of plain.txt')) })
  // The time it wrote down of its own file.
  expect(new Date(ModTime ?? '')).toEqual(MODIFIED)

  await rclone('copy', 's:data/up', 'down')
  await rclone('check', 'local', 's:data/up')
  for (const key of ODD_KEYS) expect(readFileSync(join(service.folder, 'down', key), 'utf8')).toBe(`content of ${key}`)
  expect(statSync(join(service.folder, 'down/plain.txt')).mtimeMs).toBe(MODIFIED.getTime())
  expect(await rclone('cat', 's:data/up/sub/large.bin', '--offset', '5242870', '--count', '4')).toHaveLength(4)
})

test('a sync changes what has changed, takes away what is gone, and then has nothing to do', async () => {
  writeFiles(join(service.folder, 'tree'), { 'a.txt': 'a', 'b/c.txt': 'c', 'b/d.txt': 'd' })
  await rclone('sync', 'tree', 's:data/synced')
  writeFiles(join(service.folder, 'tree'), { 'b/c.txt': 'another', 'e.txt': 'e' })
  rmSync(join(service.folder, 'tree/a.txt'))
  await rclone('sync', 'tree', 's:data/synced')
  expect((await list('s:data/synced')).map(({ Path }) => Path)).toEqual(['b/c.txt', 'b/d.txt', 'e.txt'])
  expect(existsSync(service.at('data', 'synced/a.txt'))).toBe(false)
  expect(await nothingToDo('sync', 'tree', 's:data/synced')).toBe(true)
  await rclone('check', '--download', 'tree', 's:data/synced')
})

test('what somebody else puts into the folder is there for rclone, also by its fast way of listing', async () => {
  mkdirSync(service.at('data', 'made/of'), { recursive: true })
  const files = Object.fromEntries(Array.from({ length: 1100 }, (_, index) => [`made/of/${index}.om`, `om ${index}`]))
  writeFiles(service.at('data'), files)
  await expect.poll(async () => await list('--no-modtime', 's:data/made'), { timeout: 30_000 }).toHaveLength(1100)
  const best = ['--fast-list', '--use-server-modtime', '--update', '--transfers', '16', '--checkers', '32']
  await rclone('sync', 's:data/made', 'mirror', ...best)
  expect(readFileSync(join(service.folder, 'mirror/of/1050.om'), 'utf8')).toBe('om 1050')
  expect(await nothingToDo('sync', 's:data/made', 'mirror', ...best)).toBe(true)
})

test('moving, copying within the server, and taking away a prefix with everything below it', async () => {
  writeFiles(service.folder, { one: 'one' })
  await rclone('copyto', 'one', 's:data/gone/one.txt')
  await rclone('copyto', 's:data/gone/one.txt', 's:data/gone/two words+plus.txt')
  await rclone('moveto', 's:data/gone/one.txt', 's:data/gone/deep/three.txt')
  const names = (await list('s:data/gone')).map(({ Path }) => Path)
  expect(names.toSorted()).toEqual(['deep/three.txt', 'two words+plus.txt'])
  await rclone('purge', 's:data/gone')
  expect(await list('s:data').then((lines) => lines.filter(({ Path }) => Path.startsWith('gone')))).toEqual([])
})
