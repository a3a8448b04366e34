import { execFileSync } from 'node:child_process'
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type PartsOfTree, treePartsContract } from '../../../test/contract/files/tree-parts.ts'
import { temporaryFolder } from '../../../test/helpers/folder.ts'
import { needs } from '../../../test/helpers/needs.ts'
import { NotedIndex } from '../../../test/helpers/noted-index.ts'
import { tinyDisk } from '../../../test/helpers/tiny-disk.ts'
import type { Clock } from '../../core/clock.ts'
import { silent } from '../../core/log.ts'
import { type FileCalls, localCalls, remoteCalls } from '../../lib/file-calls.ts'
import { sha256 } from '../../lib/hash.ts'
import { systemClock } from '../../lib/system-clock.ts'
import { type FolderParts, openTreeParts } from './parts.ts'
import { FolderFiles } from './tree-files.ts'

const AREA = '.flotilla-tmp-parts'
const INCOMING = '.flotilla-tmp-incoming'

interface Opened extends PartsOfTree {
  readonly root: string
  readonly files: FolderFiles
  readonly index: NotedIndex
  readonly parts: FolderParts
}

async function opened(
  root = realpathSync(temporaryFolder()),
  { calls = localCalls, clock = systemClock }: { readonly calls?: FileCalls; readonly clock?: Clock } = {},
): Promise<Opened> {
  const index = new NotedIndex()
  const files = new FolderFiles({ root, index, calls }, clock)
  onTestFinished(async () => files.close())
  return {
    root,
    index,
    files,
    parts: await openTreeParts(files, { clock, log: silent }),
    writeIncoming: async (name, content) => write(join(root, INCOMING, name), content),
    leftovers: async () => ownIn(root),
    reopen: async () => opened(root, { calls, clock }),
  }
}

function write(path: string, content: Uint8Array | string, modifiedMs?: number): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
  if (modifiedMs !== undefined) utimesSync(path, modifiedMs / 1000, modifiedMs / 1000)
}

/** Files with a temporary name, or in a folder with one. */
function ownIn(root: string): readonly string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.includes('.flotilla-tmp-') && lstatSync(join(root, path)).isFile(),
  )
}

async function* bodyOf(content: string | Uint8Array): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content)
  for (let at = 0; at < bytes.byteLength; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

treePartsContract('parts in a folder', async () => opened())
treePartsContract('parts in a folder on another machine', async () => opened(undefined, { calls: remoteCalls }))

describe('parts in a folder', () => {
  test('what was written to a part behind our back is found when it is placed, and it begins anew', async () => {
    const { root, parts, files } = await opened()
    const part = await parts.open('a')
    await part.append(bodyOf('content'))
    await part.close()
    writeFileSync(join(root, AREA, 'id-a'), 'CONTENT')
    const again = await parts.open('a')
    await again.append(bodyOf(', end'))
    const placed = again.place('a', { sha256: sha256('content, end') })
    await expect(placed).rejects.toMatchObject({ code: 'CORRUPT' })
    await again.close()
    expect(await parts.bytes('a')).toBe(0)
    expect(await files.open('a')).toBeUndefined()
  })

  test('links, folders and files with another name are not taken, whatever they lead to', async () => {
    const { root, parts, writeIncoming } = await opened()
    const outside = temporaryFolder({ secret: 'outside', 'below/secret': 'outside' })
    await writeIncoming('real/file', 'x')
    write(join(root, '.flotilla-generations/g/1/published'), 'published')
    write(join(root, 'plain'), 'plain')
    const incoming = join(root, INCOMING)
    symlinkSync(join(outside, 'secret'), join(incoming, 'link'))
    symlinkSync(outside, join(incoming, 'folder'))
    symlinkSync('real', join(incoming, 'inner'))
    symlinkSync('../.flotilla-generations/g/1', join(incoming, 'generation'))
    linkSync(join(outside, 'secret'), join(incoming, 'hard'))
    linkSync(join(root, 'plain'), join(incoming, 'own'))
    const names = ['link', 'folder/secret', 'folder/below/secret', 'inner/file', 'generation/published']
    for (const name of [...names, 'hard', 'own', 'real']) {
      await expect(parts.take(name)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    }
    expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('outside')
    expect(existsSync(join(root, '.flotilla-generations/g/1/published'))).toBe(true)
    expect(existsSync(join(incoming, 'real/file'))).toBe(true)
    expect(existsSync(join(root, AREA)) ? readdirSync(join(root, AREA)) : []).toEqual([])
  })

  test('a folder of incoming files that is a link is not entered', async () => {
    const { root, parts } = await opened()
    const outside = temporaryFolder({ secret: 'outside' })
    symlinkSync(outside, join(root, INCOMING))
    await expect(parts.take('secret')).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    utimesSync(join(outside, 'secret'), 1, 1)
    await parts.sweep()
    expect(readdirSync(outside)).toEqual(['secret'])
  })

  test('what was taken is out of the reach of whoever wrote it, and as readable as what was put', async () => {
    const { root, parts, files, writeIncoming } = await opened()
    await writeIncoming('a', 'content')
    const part = await parts.take('a')
    await writeIncoming('a', 'another')
    await part.place('a', { sha256: sha256('content') })
    await part.close()
    await files.put('b', bodyOf('x'), {})
    expect(readFileSync(join(root, 'a'), 'utf8')).toBe('content')
    expect(lstatSync(join(root, 'a')).mode & 0o777).toBe(0o644)
  })

  test('parts and incoming files that nobody wrote to for a day are swept, those in use are not', async () => {
    const root = realpathSync(temporaryFolder())
    const old = Date.now() - 100_000_000
    for (const path of [`${AREA}/id-dead`, `${AREA}/id-used`, `${INCOMING}/0/12/dead`])
      write(join(root, path), 'x', old)
    write(join(root, AREA, 'taken-0'), 'of an earlier life')
    const now = await opened(root)
    expect(ownIn(root).toSorted()).toEqual([`${INCOMING}/0/12/dead`, `${AREA}/id-dead`, `${AREA}/id-used`])
    const used = await now.parts.open('used')
    // The time of the last change of status cannot be set: only later is it old.
    const later = { ...systemClock, nowMs: () => Date.now() + 90_000_000 }
    const { parts } = await opened(root, { clock: later })
    expect(ownIn(root)).toEqual([])
    expect(await parts.bytes('dead')).toBe(0)
    await used.close()
    const own = await parts.open('used')
    await own.append(bodyOf('x'))
    await parts.sweep()
    expect(ownIn(root)).toEqual([`${AREA}/id-used`])
    await own.close()
  })

  test('a part that grows beyond what was hashed of it is right however it came', async () => {
    const { parts } = await opened()
    const pieces = Array.from({ length: 12 }, (_, number) => Buffer.alloc(number * 150_001, `${number} `))
    for (const [number, piece] of pieces.entries()) {
      const part = await parts.open('a')
      await part.append(bodyOf(piece))
      // Some in one life of the part, some in the next.
      if (number % 3 === 0) await part.append(bodyOf('between'))
      await part.close()
      if (number === 11) expect(part.bytes).toBe(await parts.bytes('a'))
    }
    const whole = Buffer.concat(
      pieces.flatMap((piece, at) => (at % 3 === 0 ? [piece, Buffer.from('between')] : [piece])),
    )
    const part = await parts.open('a')
    expect(await part.place('a', { size: whole.byteLength, sha256: sha256(whole) })).toMatchObject({ entry: {} })
    await part.close()
  })

  test('closing waits for what is under way, and nothing is begun after it', async () => {
    const { parts } = await opened()
    const part = await parts.open('a')
    const goesOn = Promise.withResolvers<void>()
    const body = (async function* () {
      yield Buffer.from('one')
      await goesOn.promise
      yield Buffer.from('two')
    })()
    const appended = part.append(body)
    await expect(part.append(bodyOf('x'))).rejects.toThrow('in use')
    const closed = part.close()
    await expect(parts.open('a')).rejects.toMatchObject({ code: 'LOST_RACE' })
    goesOn.resolve()
    await Promise.all([appended, closed])
    expect(await parts.bytes('a')).toBe(6)
    await expect(part.append(bodyOf('x'))).rejects.toThrow('at its end')
  })
})

const asRoot = await needs({ root: true })
asRoot('a part for which there is no room is DISK_FULL, and goes on when there is, opened anew or not', async () => {
  for (const isOpenedAnew of [true, false]) {
    const { root, parts, files } = await opened(tinyDisk(4096))
    await files.put('a', bodyOf(Buffer.alloc(2_000_000, 1)), {})
    const whole = Buffer.alloc(3_500_000, 'x y')
    let part = await parts.open('id')
    await expect(part.append(bodyOf(whole))).rejects.toMatchObject({ code: 'DISK_FULL' })
    if (isOpenedAnew) {
      await part.close()
      part = await parts.open('id')
    }
    const left = part.bytes
    expect(left).toBeLessThan(whole.byteLength)
    await files.remove('a')
    // Other bytes than those for which there was no room: what counts is what lies on the disk.
    whole.fill('z', left)
    await part.append(bodyOf(whole.subarray(left)))
    await part.place('b', { size: whole.byteLength, sha256: sha256(whole) })
    await part.close()
    expect(readFileSync(join(root, 'b')).equals(whole)).toBe(true)
    expect(ownIn(root)).toEqual([])
  }
})

asRoot('a part is copied into a folder that is another file system', async () => {
  const root = realpathSync(temporaryFolder())
  const other = tinyDisk(8192)
  mkdirSync(join(root, 'other'))
  execFileSync('mount', ['--bind', other, join(root, 'other')])
  onTestFinished(() => void execFileSync('umount', ['-l', join(root, 'other')]))
  const { parts, index } = await opened(root)
  const part = await parts.open('id')
  const whole = Buffer.alloc(3_000_000, 'x')
  await part.append(bodyOf(whole))
  let done = 0
  const turn = { done: async () => void done++ }
  const facts = () => ({ etag: 'promised' })
  await part.place('other/a', { sha256: sha256(whole), digests: { md5: false, sha256: true }, facts, turn })
  await part.close()
  expect(readFileSync(join(root, 'other/a')).equals(whole)).toBe(true)
  expect(index.get('other/a')).toMatchObject({ etag: 'promised', sha256: sha256(whole) })
  expect(done).toBe(1)
  expect(ownIn(root)).toEqual([])
})
