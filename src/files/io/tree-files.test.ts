import { createHash } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type FilesOfTree, treeFilesContract } from '../../../test/contract/files/tree-files.ts'
import { exchanging } from '../../../test/helpers/exchanging.ts'
import { temporaryFolder } from '../../../test/helpers/folder.ts'
import { needs } from '../../../test/helpers/needs.ts'
import { tinyDisk } from '../../../test/helpers/tiny-disk.ts'
import { TogetherFiles } from '../../../test/helpers/put-together.ts'
import { NotedIndex } from '../../../test/helpers/noted-index.ts'
import { longest } from '../../../test/helpers/soak.ts'
import type { Clock } from '../../core/clock.ts'
import type { FlotillaError } from '../../core/errors.ts'
import type { GivenFile, Turn } from '../../core/files/tree-files.ts'
import type { Growing } from '../../core/files/growing.ts'
import { silent } from '../../core/log.ts'
import { sha256 } from '../../lib/hash.ts'
import { remoteCalls } from '../../lib/file-calls.ts'
import { keyPath } from '../../lib/safe-path.ts'
import { systemClock } from '../../lib/system-clock.ts'
import { statOf } from './file-stat.ts'
import { FolderFiles, openTreeFiles } from './tree-files.ts'

const ATTEMPTS = process.env['FLOTILLA_SOAK'] === '1' ? 100_000 : 1000

interface Opened {
  readonly root: string
  readonly files: FolderFiles
  readonly index: NotedIndex
}

async function opened(root = temporaryFolder(), clock: Clock = systemClock): Promise<Opened> {
  const index = new NotedIndex()
  const files = await openTreeFiles({ root, index, clock, log: silent })
  onTestFinished(async () => files.close())
  return { root, files, index }
}

/** As another program: whole, by a rename. */
function write(path: string, content: Uint8Array | string, modifiedMs?: number): void {
  mkdirSync(dirname(path), { recursive: true })
  const temporary = join(dirname(path), 'other.part')
  writeFileSync(temporary, content)
  if (modifiedMs !== undefined) utimesSync(temporary, modifiedMs / 1000, modifiedMs / 1000)
  renameSync(temporary, path)
}

function temporariesIn(root: string): readonly string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => path.includes('.flotilla-tmp-'))
}

async function forContract({ root, files, index }: Opened): Promise<FilesOfTree> {
  return {
    files,
    index,
    write: async (path, content, modifiedMs) => {
      write(join(root, path), content, modifiedMs)
      await index.note(path, statOf(lstatSync(join(root, path))))
    },
    remove: async (key) => {
      rmSync(join(root, keyPath(key)))
      await index.note(key, undefined)
    },
    leftovers: async () => temporariesIn(root),
  }
}

treeFilesContract('files of a folder', async () => forContract(await opened()))

treeFilesContract('files of a folder on another machine', async () => {
  const root = realpathSync(temporaryFolder())
  const index = new NotedIndex()
  return forContract({ root, index, files: new FolderFiles({ root, index, calls: remoteCalls }, systemClock) })
})

describe('put together', () => {
  treeFilesContract('files of a folder', async () => {
    const made = await opened()
    return { ...(await forContract(made)), files: new TogetherFiles(made.files) }
  })

  treeFilesContract('files of a folder on another machine', async () => {
    const root = realpathSync(temporaryFolder())
    const index = new NotedIndex()
    const files = new FolderFiles({ root, index, calls: remoteCalls }, systemClock)
    return { ...(await forContract({ root, index, files })), files: new TogetherFiles(files) }
  })

  test('each of many is put, or fails, for itself, and nothing is left of what failed', async () => {
    const { root, files, index } = await opened()
    await files.swept
    const outside = temporaryFolder({ secret: 'outside' })
    symlinkSync(outside, join(root, 'link'))
    write(join(root, 'folder/there'), 'before')
    write(join(root, 'kept'), 'before')
    const seen = new Set<string | undefined>()
    const turn: Turn = { done: async (entry) => void seen.add(entry?.key) }
    const given = (key: string, content: string, options: GivenFile['options'] = {}): GivenFile => ({
      key,
      bytes: Buffer.from(content),
      options: { digests: { md5: false, sha256: true }, turn, ...options },
    })
    const many = Array.from({ length: 200 }, (_, n) => given(`many/${n % 3}/${n}`, `content ${n}`))
    const large = given('large', 'x'.repeat(600_000))
    const broken: Turn = { done: async () => Promise.reject(new Error('cannot be recorded')) }
    const settled = await files.putAll([
      ...many,
      given('folder', 'blocked'),
      given('link/escape', 'blocked'),
      given('corrupt/one', 'x', { sha256: sha256('y') }),
      given('corrupt/two', 'x', { size: 2 }),
      given('kept', 'after', { ifNoneMatch: ['*'] }),
      given('unwanted/one', 'x', { turn: { ...turn, isWanted: () => false } }),
      given('recorded/not', 'x', { turn: broken }),
      large,
    ])
    expect(settled.slice(0, 200).map((one) => one.status === 'fulfilled' && one.value)).toEqual(
      many.map(({ key }) => ({ entry: index.get(key) })),
    )
    const told = settled.slice(200).map((one) => {
      if (one.status === 'fulfilled') return one.value === 'failed-condition' ? one.value : one.value.entry.key
      return (one.reason as FlotillaError).code ?? (one.reason as Error).message
    })
    expect(told).toEqual([
      'BAD_REQUEST',
      'BAD_REQUEST',
      'CORRUPT',
      'CORRUPT',
      'failed-condition',
      'failed-condition',
      'cannot be recorded',
      'large',
    ])
    for (const { key, bytes } of [...many, large]) expect(await textOf(files, key)).toBe(String(bytes))
    expect(seen).toEqual(new Set([...many.map(({ key }) => key), 'large']))
    expect(readFileSync(join(root, 'kept'), 'utf8')).toBe('before')
    expect(readdirSync(outside)).toEqual(['secret'])
    expect(existsSync(join(root, 'corrupt')) || existsSync(join(root, 'unwanted'))).toBe(false)
    expect(temporariesIn(root)).toEqual([])
    expect(openedBelow(root)).toEqual([])
  })

  test('files of two batches with keys in common come one after the other, whatever their order', async () => {
    const { files, index } = await opened()
    const keys = Array.from({ length: 50 }, (_, n) => `${n % 5}/${n}`)
    const batch = (round: number): readonly GivenFile[] =>
      (round % 2 === 0 ? keys : keys.toReversed()).map((key) => ({ key, bytes: Buffer.from(`${round}`), options: {} }))
    const rounds = Array.from({ length: 20 }, (_, round) => round)
    const settled = await Promise.all(rounds.map(async (round) => files.putAll(batch(round))))
    expect(settled.flat().every(({ status }) => status === 'fulfilled')).toBe(true)
    for (const key of keys) {
      const text = await textOf(files, key)
      expect(rounds.map(String)).toContain(text)
      expect(index.get(key)?.etag).toBe(createHash('md5').update(text!).digest('hex'))
    }
  })

  test('what is broken off before it began has changed nothing', async () => {
    const { root, files } = await opened()
    const signal = AbortSignal.abort(new Error('enough'))
    const file = { key: 'a/b', bytes: Buffer.from('x'), options: {} }
    await expect(files.putAll([file], { signal })).rejects.toThrow('enough')
    expect(readdirSync(root)).toEqual([])
  })
})

describe('the files of a folder', () => {
  test('links are not followed, and are in the way of what is put there', async () => {
    const { root, files } = await opened()
    const outside = temporaryFolder({ secret: 'outside' })
    symlinkSync(join(outside, 'secret'), join(root, 'link'))
    symlinkSync(outside, join(root, 'folder'))
    for (const key of ['link', 'folder/secret', 'folder/new']) {
      expect(await files.open(key)).toBeUndefined()
      await expect(files.put(key, bodyOf('x'), {})).rejects.toMatchObject({ code: 'BAD_REQUEST' })
      expect(await files.remove(key)).toBe('absent')
    }
    expect(readdirSync(outside)).toEqual(['secret'])
  })

  test('a hard link to a file elsewhere is replaced, not written through', async () => {
    const { root, files } = await opened()
    const outside = temporaryFolder({ shadow: 'outside' })
    linkSync(join(outside, 'shadow'), join(root, 'shadow'))
    await files.put('shadow', bodyOf('inside'), {})
    expect(readFileSync(join(outside, 'shadow'), 'utf8')).toBe('outside')
  })

  test('files of a generation are read and written where its link stands', async () => {
    const { root, files } = await opened()
    write(join(root, '.flotilla-generations/g/1/sub/a'), 'one')
    symlinkSync('.flotilla-generations/g/1', join(root, 'g'))
    expect(await textOf(files, 'g/sub/a')).toBe('one')
    await files.put('g/sub/b', bodyOf('two'), {})
    expect(readFileSync(join(root, '.flotilla-generations/g/1/sub/b'), 'utf8')).toBe('two')
    await expect(files.put('g', bodyOf('x'), {})).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    expect(await files.remove('g')).toBe('absent')
    expect(await textOf(files, 'g/sub/b')).toBe('two')
  })

  test('what is no regular file is not opened, and nothing waits for it', async () => {
    const { root, files } = await opened()
    execFileSync('mkfifo', [join(root, 'pipe')])
    expect(await files.open('pipe')).toBeUndefined()
    await expect(files.put('pipe', bodyOf('x'), {})).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  })

  test('a small file that was read before and is replaced or written to is read anew', async () => {
    const { root, files } = await opened()
    const path = join(root, 'a')
    const old = Date.now() - 100_000
    write(path, 'one', old)
    for (const content of ['one', 'two', 'six']) {
      write(path, content, old)
      expect(await textOf(files, 'a')).toBe(content)
      expect(await textOf(files, 'a')).toBe(content)
      writeFileSync(path, content.toUpperCase())
      expect(await textOf(files, 'a')).toBe(content.toUpperCase())
    }
  })

  test.for([100_000, 3_000_000])(
    'a file of %d bytes that is written to or cut while it is read is CHANGED',
    async (size) => {
      const { root, files } = await opened()
      const path = join(root, 'a')
      for (const spoil of [() => writeFileSync(path, Buffer.alloc(size, 2)), () => truncateSync(path, 10)]) {
        write(path, Buffer.alloc(size, 1))
        const file = await files.open('a')
        spoil()
        // One that was read when it was opened is what it was.
        const read = buffer(file!.read(0, size))
        if (file!.bytes === undefined) await expect(read).rejects.toMatchObject({ code: 'CHANGED' })
        else expect((await read).equals(Buffer.alloc(size, 1))).toBe(true)
        await file!.close()
      }
    },
  )

  test('a long file that is renamed while it is read is read to its end', async () => {
    const { root, files } = await opened()
    write(join(root, 'a'), Buffer.alloc(3_000_000, 1))
    const file = await files.open('a')
    const pieces: Buffer[] = []
    for await (const piece of file!.read(0, 3_000_000)) {
      if (pieces.length === 0) renameSync(join(root, 'a'), join(root, 'b'))
      pieces.push(Buffer.from(piece))
    }
    expect(Buffer.concat(pieces).equals(Buffer.alloc(3_000_000, 1))).toBe(true)
    await file!.close()
  })

  test('closing while a piece is being read waits for it, and gives the descriptor back once', async () => {
    const { root, files } = await opened()
    write(join(root, 'a'), Buffer.alloc(3_000_000, 1))
    const file = (await files.open('a'))!
    const pieces = file.read(0, 3_000_000)[Symbol.asyncIterator]()
    const first = pieces.next()
    expect(openedBelow(root)).toEqual([join(root, 'a')])
    await file.close()
    expect((await first).value?.byteLength).toBeGreaterThan(0)
    await expect(pieces.next()).rejects.toThrow('closed')
    expect(openedBelow(root)).toEqual([])
  })

  test('a file that is followed stays open until everybody let go of it, also while a piece is being read', async () => {
    const { root, files } = await opened()
    const { promise, resolve } = Promise.withResolvers<Growing>()
    await files.put('a', bodyOf(Buffer.alloc(3_000_000, 1)), { follow: resolve })
    const growing = await promise
    expect(openedBelow(root)).toEqual([join(root, 'a')])
    const read = growing.read(Buffer.alloc(1_000_000), 0)
    growing.release()
    expect(openedBelow(root)).toEqual([join(root, 'a')])
    expect(await read).toBe(1_000_000)
    expect(openedBelow(root)).toEqual([])
    await expect(growing.read(Buffer.alloc(1), 0)).rejects.toThrow('released')
  })

  test('a failed body leaves neither files nor folders', async () => {
    const { root, files } = await opened()
    const broken = (async function* () {
      yield Buffer.alloc(2_000_000)
      throw new Error('cut off')
    })()
    await expect(files.put('new/folder/file', broken, {})).rejects.toThrow('cut off')
    expect(readdirSync(root)).toEqual([])
  })

  test('what a body rejects with comes out as it is, whatever it looks like', async () => {
    const { files } = await opened()
    const mine = Object.assign(new Error('of the body'), { code: 'ENOSPC' })
    const body = (async function* () {
      yield Buffer.from('x')
      throw mine
    })()
    await expect(files.put('a', body, {})).rejects.toBe(mine)
  })

  test('folders that we made go with their last file, those of others stay', async () => {
    const { root, files } = await opened()
    mkdirSync(join(root, 'theirs'))
    await files.put('theirs/ours/deep/a', bodyOf('x'), {})
    await files.put('theirs/ours/b', bodyOf('x'), {})
    await files.remove('theirs/ours/deep/a')
    expect(readdirSync(join(root, 'theirs/ours'))).toEqual(['b'])
    await files.remove('theirs/ours/b')
    expect(readdirSync(root, { recursive: true })).toEqual(['theirs'])
  })

  test('many that put into and remove from one folder at once lose nothing', async () => {
    const { root, files } = await opened()
    const rounds = Array.from({ length: 200 }, (_, round) => round)
    await Promise.all(
      rounds.map(async (round) => {
        await files.put(`a/b/${round % 10}`, bodyOf(`${round}`), {})
        await files.remove(`a/b/${round % 10}`)
      }),
    )
    expect(readdirSync(root)).toEqual([])
    await files.put('a/b/last', bodyOf('x'), {})
    expect(await textOf(files, 'a/b/last')).toBe('x')
  })

  test('a file takes the place of empty folders, not of others', async () => {
    const { root, files } = await opened()
    mkdirSync(join(root, 'a/b/c'), { recursive: true })
    mkdirSync(join(root, 'a/d'))
    await files.put('a', bodyOf('x'), {})
    expect(await textOf(files, 'a')).toBe('x')
    mkdirSync(join(root, 'e/f'), { recursive: true })
    symlinkSync('/etc', join(root, 'e/link'))
    await expect(files.put('e', bodyOf('x'), {})).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    expect(readdirSync(join(root, 'e'))).toEqual(['f', 'link'])
  })

  test('a file has its ETag and headers from the moment it is visible, also while the index does not know it', async () => {
    const { root, files, index } = await opened()
    const [noting, goesOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const note = index.note.bind(index)
    index.note = async (...args) => {
      noting.resolve()
      await goesOn.promise
      await note(...args)
    }
    const put = files.put('a', bodyOf('x'), { facts: () => ({ etag: 'promised', headers: { 'x-amz-meta-a': 'b' } }) })
    await noting.promise
    expect(existsSync(join(root, 'a'))).toBe(true)
    const expected = { entry: { etag: 'promised' }, facts: { headers: { 'x-amz-meta-a': 'b' } } }
    expect(await files.open('a')).toMatchObject(expected)
    write(join(root, 'a'), 'another')
    expect((await files.open('a'))?.entry.etag).not.toBe('promised')
    goesOn.resolve()
    await put
    await files.put('a', bodyOf('x'), { facts: () => ({ etag: 'promised', headers: { 'x-amz-meta-a': 'b' } }) })
    expect(await files.open('a')).toMatchObject(expected)
  })

  test(
    'nothing outside is read, written or removed while links and folders are exchanged',
    { timeout: longest(600_000) },
    async () => {
      const { root, files } = await opened()
      write(join(root, 'a/b/file'), 'inside')
      const outside = temporaryFolder({ file: 'outside', 'b/file': 'outside' })
      const worker = exchanging(join(root, 'a'), outside)
      const seen = { inside: 0, refused: 0 }
      for (let attempt = 0; attempt < ATTEMPTS || seen.inside === 0 || seen.refused === 0; attempt++) {
        const refused = (error: unknown): undefined => {
          expect(['BAD_REQUEST', 'LOST_RACE']).toContain((error as FlotillaError).code)
        }
        const text = await textOf(files, 'a/b/file')
        const written = await files.put(attempt % 2 === 0 ? 'a/b/file' : 'a/b/new', bodyOf('inside'), {}).catch(refused)
        if (attempt % 7 === 0) await files.remove('a/b/new').catch(refused)
        if (text !== undefined) expect(text).toBe('inside')
        if (written === undefined) seen.refused++
        else seen.inside++
      }
      await worker.terminate()
      expect(readdirSync(outside, { recursive: true })).toHaveLength(3)
      expect([readFileSync(join(outside, 'file'), 'utf8'), readFileSync(join(outside, 'b/file'), 'utf8')]).toEqual([
        'outside',
        'outside',
      ])
    },
  )

  test('temporary files of an earlier life are swept when they are old, and only those of bodies', async () => {
    const root = temporaryFolder()
    const [dead, alive, other] = ['a/b/.flotilla-tmp-put-1', 'a/.flotilla-tmp-put-2', '.flotilla-tmp-other'] as const
    for (const path of [dead, alive, other, 'a/.flotilla-state/.flotilla-tmp-put-3', 'a/file']) {
      write(join(root, path), 'x', path === alive ? Date.now() + 7_200_000 : 1_600_000_000_000)
    }
    const { files } = await opened(root, { ...systemClock, nowMs: () => Date.now() + 7_200_000 })
    await files.swept
    expect(existsSync(join(root, dead))).toBe(false)
    for (const path of [alive, other, 'a/.flotilla-state/.flotilla-tmp-put-3', 'a/file']) {
      expect(existsSync(join(root, path))).toBe(true)
    }
  })

  test('what a process that was killed a moment ago has left is swept when it is old, without another start', async () => {
    const root = temporaryFolder()
    const left = join(root, 'a/.flotilla-tmp-put-1')
    write(left, 'x')
    const later = Promise.withResolvers<void>()
    let aheadMs = 0
    const clock = { ...systemClock, nowMs: () => Date.now() + aheadMs, sleep: async () => later.promise }
    const { files } = await opened(root, clock)
    await files.swept
    expect(existsSync(left)).toBe(true)
    aheadMs = 7_200_000
    later.resolve()
    await expect.poll(() => existsSync(left)).toBe(false)
  })

  test('a folder that is not there is NOT_FOUND', async () => {
    await expect(opened('/no/such/folder')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

const asRoot = await needs({ root: true })
asRoot('a disk that is full is DISK_FULL, and has its room again', async () => {
  const { root, files } = await opened(tinyDisk(4096))
  await files.put('a', bodyOf(Buffer.alloc(1_000_000, 1)), {})
  for (const key of ['a', 'new/b']) {
    await expect(files.put(key, bodyOf(Buffer.alloc(6_000_000, 2)), {})).rejects.toMatchObject({ code: 'DISK_FULL' })
  }
  expect(readdirSync(root)).toEqual(['a'])
  expect((await textOf(files, 'a'))?.length).toBe(1_000_000)
  const many = Array.from({ length: 40 }, (_, n) => ({
    key: `many/${n}`,
    bytes: Buffer.alloc(200_000, n),
    options: { modifiedMs: n },
  }))
  const settled = await files.putAll(many)
  const failed = settled.flatMap((one) => (one.status === 'rejected' ? [(one.reason as FlotillaError).code] : []))
  expect(failed.length).toBeGreaterThan(10)
  expect(new Set(failed)).toEqual(new Set(['DISK_FULL']))
  expect(temporariesIn(root)).toEqual([])
  for (const [n, { status }] of settled.entries())
    expect(existsSync(join(root, `many/${n}`))).toBe(status === 'fulfilled')
  for (const { key } of many) await files.remove(key)
  await files.put('b', bodyOf(Buffer.alloc(2_000_000, 2)), {})
})

async function* bodyOf(content: string | Uint8Array): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content)
  for (let at = 0; at < bytes.byteLength; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

async function textOf(files: FolderFiles, key: string): Promise<string | undefined> {
  const file = await files.open(key)
  if (file === undefined) return undefined
  const content = await buffer(file.read(0, file.entry.size))
  await file.close()
  return content.toString()
}

function openedBelow(root: string): readonly string[] {
  const links = readdirSync('/proc/self/fd').map((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`)
    } catch {
      return ''
    }
  })
  return links.filter((link) => link.startsWith(`${root}/`))
}
