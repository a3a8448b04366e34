import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { collect } from '../../../test/helpers/collect.ts'
import { temporaryFolder, writeFiles } from '../../../test/helpers/folder.ts'
import { compareKeys, type FileEntry } from '../../core/files/entry.ts'
import type { FileSource } from '../../core/files/source.ts'
import { isKey, keyPath } from '../../lib/safe-path.ts'
import { openFolderSource } from './folder-source.ts'

async function list(source: FileSource): Promise<FileEntry[]> {
  return (await collect(source.list({}))).flat()
}

async function keysOf(folder: string): Promise<string[]> {
  return (await list(openFolderSource(folder))).map(({ key }) => key)
}

test('hidden names, links, pipes and other oddities are no files of a folder', async () => {
  const outer = temporaryFolder({
    'secret/file': 's',
    'root/a': 'a',
    'root/b~': 'half',
    'root/.flotilla-tmp-1': 'half',
    'root/.flotilla-state/db': 'ours',
    'root/.hidden/file': 'theirs',
    'root/c~/file': 'half',
  })
  const root = join(outer, 'root')
  symlinkSync('../secret/file', join(root, 'link'))
  symlinkSync('../secret', join(root, 'up'))
  symlinkSync('.', join(root, 'self'))
  execFileSync('mkfifo', [join(root, 'pipe')])
  writeFileSync(Buffer.concat([Buffer.from(`${root}/bad-`), Buffer.from([0xff])]), 'x')
  expect(await keysOf(root)).toEqual(['.hidden/file', 'a'])
  const source = openFolderSource(root)
  for (const key of ['link', 'up/file', 'pipe', 'self/a', '../secret/file', 'b~', '.flotilla-tmp-1', 'none']) {
    const entry = { key, size: 1, modifiedMs: 1, etag: '' }
    await expect(source.open(entry), key).rejects.toMatchObject({ code: 'NOT_FOUND' })
  }
})

test('the links of generations are followed, and no others', async () => {
  const outer = temporaryFolder({
    'out/.flotilla-generations/g/1/secret': 's',
    'root/.flotilla-generations/run/1/x': 'old',
    'root/.flotilla-generations/run/2/x': 'new',
    'root/.flotilla-generations/run/2/deep/y': 'new',
    'root/data/z': 'z',
  })
  const root = join(outer, 'root')
  symlinkSync('../.flotilla-generations/run/2', join(root, 'data/run'))
  symlinkSync('../../out/.flotilla-generations/g/1', join(root, 'data/evil'))
  symlinkSync('../.flotilla-generations', join(root, 'data/all'))
  expect(await keysOf(root)).toEqual(['data/run/deep/y', 'data/run/x', 'data/z'])
  const source = openFolderSource(root)
  const [, x] = await list(source)
  expect(String(await buffer(await source.open(x as FileEntry)))).toBe('new')
})

test('a folder that is not there, or goes away, is UNREACHABLE and not empty', async () => {
  const entry = { key: 'a', size: 1, modifiedMs: 1, etag: '' }
  const none = openFolderSource('/does/not/exist')
  await expect(list(none)).rejects.toMatchObject({ code: 'UNREACHABLE' })
  await expect(none.open(entry)).rejects.toMatchObject({ code: 'UNREACHABLE' })
  const file = openFolderSource(join(temporaryFolder({ a: 'a' }), 'a'))
  await expect(list(file)).rejects.toMatchObject({ code: 'UNREACHABLE' })
  const folder = temporaryFolder(Object.fromEntries(Array.from({ length: 3000 }, (_, index) => [`d/f${index}`, ''])))
  const going = async (): Promise<void> => {
    for await (const page of openFolderSource(folder).list({})) {
      expect(page.length).toBeGreaterThan(0)
      rmSync(folder, { recursive: true, force: true })
    }
  }
  await expect(going()).rejects.toMatchObject({ code: 'UNREACHABLE' })
})

test('a folder in it that cannot be looked into makes the listing fail, for it would not be whole', async () => {
  const folder = temporaryFolder({ 'a/1': '', 'b/1': '' })
  chmodSync(join(folder, 'a'), 0o000)
  const script = `
    import { openFolderSource } from '${import.meta.dirname}/folder-source.ts'
    process.setgid(65534); process.setuid(65534)
    try { for await (const page of openFolderSource('${folder}').list({})) void page; console.log('whole') }
    catch (error) { console.log(error.code) }`
  chmodSync(folder, 0o755)
  const isRoot = process.getuid?.() === 0
  const told = isRoot
    ? execFileSync(process.execPath, ['--input-type=module-typescript', '-e', script], { encoding: 'utf8' }).trim()
    : await list(openFolderSource(folder)).catch((error: unknown) => (error as { code: string }).code)
  chmodSync(join(folder, 'a'), 0o755)
  expect(told).toBe('UNREACHABLE')
})

test.for([
  ['is appended to', (path: string): void => appendFileSync(path, 'more')],
  ['is cut', (path: string): void => truncateSync(path, 2_000_000)],
  ['is rewritten', (path: string): void => writeFileSync(path, Buffer.alloc(5_000_000, 2))],
] as const)('a file that %s while it is read is CHANGED', async ([, change]) => {
  const folder = temporaryFolder({ a: Buffer.alloc(5_000_000, 1) })
  const path = join(folder, 'a')
  utimesSync(path, 1_700_000_000, 1_700_000_000)
  const source = openFolderSource(folder)
  const [entry] = (await list(source)) as [FileEntry]
  const chunks = (await source.open(entry))[Symbol.asyncIterator]()
  await chunks.next()
  change(path)
  const drain = async (): Promise<void> => {
    for (let next = await chunks.next(); next.done !== true;) next = await chunks.next()
  }
  await expect(drain()).rejects.toMatchObject({ code: 'CHANGED' })
})

test('a file that is replaced or removed while it is read is read as it was', async () => {
  const folder = temporaryFolder({ a: Buffer.alloc(5_000_000, 1), b: 'other' })
  const source = openFolderSource(folder)
  const [entry] = (await list(source)) as [FileEntry]
  const replaced = await source.open(entry)
  const removed = await source.open(entry)
  renameSync(join(folder, 'b'), join(folder, 'a'))
  for (const bytes of [replaced, removed]) {
    expect((await buffer(bytes)).equals(Buffer.alloc(5_000_000, 1))).toBe(true)
  }
})

test('a file with several names has the same ETag under each, and as a copy that kept its time', async () => {
  const folder = temporaryFolder({ a: 'content', copy: 'content' })
  linkSync(join(folder, 'a'), join(folder, 'b'))
  utimesSync(join(folder, 'a'), 1_700_000_000.123456, 1_700_000_000.123456)
  utimesSync(join(folder, 'copy'), 1_700_000_000.123456, 1_700_000_000.123456)
  const etags = new Set((await list(openFolderSource(folder))).map(({ etag }) => etag))
  expect([...etags]).toEqual(['1700000000123456-7'])
})

test('whatever keys there are, they come in order, each once', async () => {
  const part = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 4 }),
    fc.constantFrom('', '.', '..', 'a', 'a-', 'a~', '.flotilla-x', 'b'.repeat(300)),
  )
  const key = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
  const isPossible = (some: readonly string[]): boolean =>
    some.every((one) => isKey(one) && !some.some((other) => other.startsWith(`${one}/`)))
  const keys = fc.uniqueArray(key, { maxLength: 12 }).filter(isPossible)
  await fc.assert(
    fc.asyncProperty(keys, async (some) => {
      const folder = temporaryFolder()
      mkdirSync(folder, { recursive: true })
      writeFiles(folder, Object.fromEntries(some.map((one) => [keyPath(one), one])))
      expect(await keysOf(folder)).toEqual(some.toSorted(compareKeys))
    }),
    { numRuns: 100 },
  )
})

test('a file that may not be read is FORBIDDEN, which asking again does not cure', () => {
  const folder = temporaryFolder({ closed: 'x' })
  chmodSync(folder, 0o755)
  chmodSync(join(folder, 'closed'), 0o000)
  const script = `
    import { openFolderSource } from '${import.meta.dirname}/folder-source.ts'
    if (process.getuid() === 0) { process.setgid(65534); process.setuid(65534) }
    const source = openFolderSource('${folder}')
    for await (const [entry] of source.list({})) await source.open(entry).catch((error) => console.log(error.code))`
  const told = execFileSync(process.execPath, ['--input-type=module-typescript', '-e', script], { encoding: 'utf8' })
  expect(told.trim()).toBe('FORBIDDEN')
})
