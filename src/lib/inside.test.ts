import {
  closeSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { exchanging } from '../../test/helpers/exchanging.ts'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { longest } from '../../test/helpers/soak.ts'
import { type FileCalls, localCalls, remoteCalls } from './file-calls.ts'
import { openFileInside, removeEmptyInside, withFolderInside } from './inside.ts'
import { Outside } from './open-inside.ts'

const ATTEMPTS = process.env['FLOTILLA_SOAK'] === '1' ? 100_000 : 2000

function rootWith(files: Readonly<Record<string, string>>): string {
  return realpathSync(temporaryFolder(files))
}

async function contentOf(root: string, path: string, calls?: FileCalls): Promise<string> {
  const file = await openFileInside(root, path, calls)
  const buffer = Buffer.alloc(100)
  const read = readSync(file, buffer)
  closeSync(file)
  return buffer.toString('utf8', 0, read)
}

async function writeInside(root: string, folder: string, name: string, calls: FileCalls): Promise<void> {
  await withFolderInside(root, folder, { make: true, calls }, (within) => {
    writeFileSync(`${within.path}/${name}.new`, 'x')
    renameSync(`${within.path}/${name}.new`, `${within.path}/${name}`)
  })
}

describe.for([
  ['in place', localCalls],
  ['in threads', remoteCalls],
] as const)('a folder inside, asked %s', ([, calls]) => {
  test('is made with those above it, and told so', async () => {
    const root = rootWith({ 'a/x': '' })
    const made = await withFolderInside(root, 'a/b/c', { make: true, calls }, (within) => {
      writeFileSync(`${within.path}/file`, 'hello')
      return within.made
    })
    expect(made).toEqual(['a/b', 'a/b/c'])
    expect(await contentOf(root, 'a/b/c/file', calls)).toBe('hello')
    expect(await withFolderInside(root, '', { calls }, ({ path }) => readdirSync(path))).toEqual(['a'])
  })

  test('is not there where it is missing, and nothing is made unasked', async () => {
    const root = rootWith({})
    await expect(withFolderInside(root, 'a/b', { calls }, () => 1)).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(openFileInside(root, 'a/b', calls)).rejects.toMatchObject({ code: 'ENOENT' })
    expect(readdirSync(root)).toEqual([])
  })

  test('is not made below a file, and what was made on the way is gone again', async () => {
    const root = rootWith({ 'a/file': '' })
    await expect(withFolderInside(root, 'a/file/b', { make: true, calls }, () => 1)).rejects.toMatchObject({
      code: 'ENOTDIR',
    })
    const long = `new/${'x'.repeat(300)}`
    await expect(withFolderInside(root, long, { make: true, calls }, () => 1)).rejects.toMatchObject({
      code: 'ENAMETOOLONG',
    })
    expect(readdirSync(root)).toEqual(['a'])
  })

  test('is not reached through a link, wherever it leads', async () => {
    const root = rootWith({ 'real/file': 'inside' })
    const outside = rootWith({ 'secret/file': 'outside' })
    symlinkSync(outside, join(root, 'out'))
    symlinkSync('real', join(root, 'in'))
    symlinkSync(join(outside, 'secret/file'), join(root, 'real/link'))
    symlinkSync('file', join(root, 'real/sibling'))
    for (const path of ['out/secret', 'out', 'in', 'in/deeper']) {
      await expect(withFolderInside(root, path, { make: true, calls }, () => 1)).rejects.toThrow(Outside)
    }
    await expect(openFileInside(root, 'out/secret/file', calls)).rejects.toThrow(Outside)
    await expect(openFileInside(root, 'in/file', calls)).rejects.toThrow(Outside)
    await expect(openFileInside(root, 'real/link', calls)).rejects.toMatchObject({ code: 'ELOOP' })
    await expect(openFileInside(root, 'real/sibling', calls)).rejects.toMatchObject({ code: 'ELOOP' })
    expect(readdirSync(join(outside, 'secret'))).toEqual(['file'])
  })

  test('is reached through the link of a generation, for reading and writing', async () => {
    const root = rootWith({ '.flotilla-generations/g/7/sub/file': 'seven', 'a/x': '' })
    symlinkSync('../.flotilla-generations/g/7', join(root, 'a/place'))
    expect(await contentOf(root, 'a/place/sub/file', calls)).toBe('seven')
    await writeInside(root, 'a/place/sub/new', 'n', calls)
    expect(existsSync(join(root, '.flotilla-generations/g/7/sub/new/n'))).toBe(true)
  })

  test.for([
    '../../.flotilla-generations/g/7',
    '../.flotilla-generations/g',
    '../.flotilla-generations/g/7/sub/../../../../real',
  ])('is not made through a link that only looks like that of a generation: %s', async (target) => {
    const root = rootWith({ '.flotilla-generations/g/7/sub/file': 'seven', 'a/x': '', 'real/x': '' })
    symlinkSync(target, join(root, 'a/place'))
    await expect(withFolderInside(root, 'a/place/new', { make: true, calls }, () => 1)).rejects.toThrow(Outside)
  })

  test('is removed where it is empty, up to one that is not', async () => {
    const root = rootWith({ 'a/x': '' })
    mkdirSync(join(root, 'a/b/c'), { recursive: true })
    expect(await removeEmptyInside(root, ['a/b/c', 'a/b', 'a'], calls)).toEqual(['a/b/c', 'a/b'])
    expect(readdirSync(join(root, 'a'))).toEqual(['x'])
  })

  test('is never left while links and folders are exchanged in its place', { timeout: longest(600_000) }, async () => {
    const root = rootWith({ 'a/b/file': 'inside' })
    const outside = rootWith({ 'b/file': 'outside', file: 'outside' })
    const worker = exchanging(join(root, 'a'), outside)
    const seen = { inside: 0, refused: 0 }
    for (let attempt = 0; attempt < ATTEMPTS || seen.inside === 0 || seen.refused === 0; attempt++) {
      try {
        if (attempt % 2 === 0) await writeInside(root, 'a/b', `new${attempt % 100}`, calls)
        else expect(await contentOf(root, 'a/b/file', calls)).toBe('inside')
        seen.inside++
      } catch (error) {
        if (!(error instanceof Outside) && !['ENOENT', 'ENOTDIR', 'ELOOP', 'EEXIST'].includes(codeOf(error)))
          throw error
        seen.refused++
      }
    }
    await worker.terminate()
    expect(readdirSync(outside, { recursive: true })).toEqual(expect.arrayContaining(['b', 'b/file', 'file']))
    expect(readdirSync(outside, { recursive: true })).toHaveLength(3)
    expect(readFileSync(join(outside, 'b/file'), 'utf8')).toBe('outside')
  })
})

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code)
}
