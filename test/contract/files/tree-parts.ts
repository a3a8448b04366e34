import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import type { FileEntry } from '../../../src/core/files/entry.ts'
import type { TreeFiles } from '../../../src/core/files/tree-files.ts'
import type { TreeIndex } from '../../../src/core/files/tree-index.ts'
import type { TreeParts } from '../../../src/core/files/tree-parts.ts'
import { sha256 } from '../../../src/lib/hash.ts'
import { followed } from './tree-writers.ts'

/** Parts of an empty folder, with its files and index. */
export interface PartsOfTree {
  readonly parts: TreeParts
  readonly files: TreeFiles
  readonly index: TreeIndex
  /** As another program would, below `incoming`. */
  readonly writeIncoming: (name: string, content: Uint8Array | string) => Promise<void>
  /** The names of everything in the folder that is not to be seen. */
  readonly leftovers: () => Promise<readonly string[]>
  /** Stops and opens again over the same folder; absent where parts live in memory only. */
  readonly reopen?: () => Promise<PartsOfTree>
}

type Open = () => Promise<PartsOfTree>

const md5 = (content: Uint8Array | string): string => createHash('md5').update(content).digest('hex')
const LONG = Buffer.alloc(3_000_001, 'flotilla: ')
const TWICE = Buffer.concat([LONG, LONG])
const SHA256_ONLY = { md5: false, sha256: true }

async function* chunks(content: Uint8Array | string): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content)
  for (let at = 0; at < bytes.byteLength; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

async function* broken(content: Uint8Array | string): AsyncGenerator<Uint8Array> {
  yield* chunks(content)
  throw new Error('cut off')
}

async function contentOf(files: TreeFiles, key: string): Promise<Buffer | undefined> {
  const file = await files.open(key)
  if (file === undefined) return undefined
  const content = await buffer(file.read(0, file.entry.size))
  await file.close()
  return content
}

/** What every `TreeParts` does. `open` makes one over an empty folder, and is called in each test. */
export function treePartsContract(name: string, open: Open, { lasts } = { lasts: true }): void {
  describe(name, () => {
    appending(open)
    placing(open)
    refusals(open)
    taking(open)
    if (lasts) lasting(open)
  })
}

function appending(open: Open): void {
  test('a body that comes in several goes is placed as one, and nobody sees it before', async () => {
    const { parts, files, index, leftovers } = await open()
    expect(await parts.bytes('a-1')).toBe(0)
    for (const [before, content] of [
      [0, 'begin, '],
      [7, LONG],
      [7 + LONG.byteLength, ', end'],
    ] as const) {
      const part = await parts.open('a-1')
      expect(part.bytes).toBe(before)
      await part.append(chunks(content))
      expect(part.bytes).toBe(before + content.length)
      await part.close()
      expect(await parts.bytes('a-1')).toBe(before + content.length)
      expect(index.page({ prefix: '', after: '', limit: 9 })).toEqual([])
    }
    const whole = Buffer.concat([Buffer.from('begin, '), LONG, Buffer.from(', end')])
    const part = await parts.open('a-1')
    const size = whole.byteLength
    const options = { size, sha256: sha256(whole), digests: SHA256_ONLY, modifiedMs: 1.6e12 }
    const result = await part.place('x/y', { ...options, facts: () => ({ etag: 'promised' }) })
    await part.close()
    const entry = { key: 'x/y', size, etag: 'promised', sha256: sha256(whole), modifiedMs: 1.6e12 }
    expect(result).toMatchObject({ entry })
    expect(index.get('x/y')).toMatchObject(entry)
    expect((await contentOf(files, 'x/y'))?.equals(whole)).toBe(true)
    expect(await parts.bytes('a-1')).toBe(0)
    expect(await leftovers()).toEqual([])
  })

  test('what had come of a body that broke off stays, to the last byte, and the same part goes on', async () => {
    const { parts, files } = await open()
    const part = await parts.open('a')
    await expect(part.append(broken(LONG))).rejects.toThrow('cut off')
    expect(part.bytes).toBe(LONG.byteLength)
    const controller = new AbortController()
    const aborting = (async function* () {
      yield* chunks('some more')
      controller.abort(new Error('enough'))
      yield Buffer.from('never')
    })()
    await expect(part.append(aborting, { signal: controller.signal })).rejects.toThrow('enough')
    await part.append(chunks('end'))
    const whole = `${LONG.toString()}some moreend`
    await part.place('a', { size: whole.length, sha256: sha256(whole) })
    await part.close()
    expect(String(await contentOf(files, 'a'))).toBe(whole)
  })

  test('it is read behind the writer, from what was there before on', async () => {
    const { parts } = await open()
    const first = await parts.open('a')
    await first.append(chunks(LONG))
    await first.close()
    const part = await parts.open('a')
    const behind = [part.follow('to/a'), part.follow('to/a')]
    const isRead = Promise.withResolvers<void>()
    const body = (async function* () {
      await isRead.promise
      yield* chunks(LONG)
    })()
    const reads = behind.map(async (growing) => followed(growing, () => isRead.resolve()))
    expect(behind[0]).toMatchObject({ key: 'to/a', state: 'growing', written: LONG.byteLength })
    await part.append(body)
    await part.place('to/a', { sha256: sha256(TWICE) })
    await part.close()
    for (const read of await Promise.all(reads)) expect(read.equals(TWICE)).toBe(true)
    for (const growing of behind) growing.release()
  })

  test('who follows is told when it is closed or removed before it is whole', async () => {
    const { parts } = await open()
    for (const end of ['close', 'remove'] as const) {
      const part = await parts.open('a')
      const growing = part.follow('a')
      await part.append(chunks('x'))
      const ended = growing.changed({})
      await part[end]()
      await ended
      expect(growing.state).toBe('failed')
      growing.release()
    }
  })
}

function placing(open: Open): void {
  test('conditions and turns are those of a put', async () => {
    const { parts, files } = await open()
    await files.put('a', chunks('there'), {})
    const part = await parts.open('id')
    await part.append(chunks('content'))
    const seen: (FileEntry | undefined)[] = []
    const done = async (entry: FileEntry | undefined): Promise<void> => void seen.push(entry)
    expect(await part.place('a', { ifNoneMatch: ['*'], turn: { done } })).toBe('failed-condition')
    expect(await part.place('a', { turn: { done, isWanted: () => false } })).toBe('failed-condition')
    await part.close()
    expect(seen).toEqual([])
    expect(String(await contentOf(files, 'a'))).toBe('there')
    const again = await parts.open('id')
    expect(await again.place('a', { ifMatch: [md5('there')], turn: { done } })).toMatchObject({ entry: { size: 7 } })
    await again.close()
    expect(seen).toMatchObject([{ key: 'a', size: 7, etag: md5('content') }])
    expect(String(await contentOf(files, 'a'))).toBe('content')
  })

  test('digests and checks are those of a put', async () => {
    const { parts, index } = await open()
    for (const [id, content] of [
      ['empty', ''],
      ['long', LONG],
    ] as const) {
      const part = await parts.open(id)
      await part.append(chunks(content))
      let checked = 0
      let isAtEnd = false
      const check = (chunk: Uint8Array | undefined): void => {
        checked += chunk?.byteLength ?? 0
        isAtEnd = chunk === undefined
      }
      await part.place(id, { md5: md5(content), digests: { md5: true, sha256: true }, check })
      await part.close()
      expect([checked, isAtEnd]).toEqual([content.length, true])
      expect(index.get(id)).toMatchObject({ etag: md5(content), md5: md5(content), sha256: sha256(content) })
    }
    const part = await parts.open('plain')
    await part.append(chunks('x'))
    await part.place('plain', {})
    await part.close()
    expect(index.get('plain')).toMatchObject({ etag: md5('x') })
  })

  test('what is not as announced is CORRUPT: gone when it is closed, unless it was only too short', async () => {
    const { parts, files, leftovers } = await open()
    const fill = async (): Promise<void> => {
      const part = await parts.open('a')
      if (part.bytes === 0) await part.append(chunks('content'))
      await part.close()
    }
    for (const [options, left] of [
      [{ size: 8 }, 7],
      [{ size: 6 }, 0],
      [{ size: 7, sha256: sha256('other') }, 0],
      [{ md5: md5('other') }, 0],
    ] as const) {
      await fill()
      const part = await parts.open('a')
      await expect(part.place('a', options)).rejects.toMatchObject({ code: 'CORRUPT' })
      await part.close()
      expect(await parts.bytes('a')).toBe(left)
      expect(await files.open('a')).toBeUndefined()
    }
    expect(await leftovers()).toEqual([])
  })

  test('a part that will never be whole is removed', async () => {
    const { parts, leftovers } = await open()
    const part = await parts.open('a')
    await part.append(chunks(LONG))
    await part.remove()
    await part.close()
    expect(await parts.bytes('a')).toBe(0)
    expect(await leftovers()).toEqual([])
  })
}

function refusals(open: Open): void {
  test('one uses an id at a time, many use different ones', async () => {
    const { parts } = await open()
    const part = await parts.open('a')
    await part.append(chunks('x'))
    await expect(parts.open('a')).rejects.toMatchObject({ code: 'LOST_RACE' })
    expect(await parts.bytes('a')).toBe(1)
    const others = await Promise.all(Array.from({ length: 20 }, async (_, number) => parts.open(`a-${number}`)))
    await Promise.all(others.map(async (other, number) => other.append(chunks(`${number}`))))
    await Promise.all([part, ...others].map(async (one) => one.close()))
    const again = await parts.open('a')
    expect(again.bytes).toBe(1)
    await again.close()
  })

  test.for(['', '..', 'a/b', 'A', 'ä', 'a.b', 'a_b', 'a'.repeat(65)])('%j is no id', async (id) => {
    const { parts } = await open()
    await expect(parts.open(id)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    await expect(parts.bytes(id)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  })

  test('a key that a folder is in the place of is BAD_REQUEST, and the part stays', async () => {
    const { parts, files } = await open()
    await files.put('a/b', chunks('x'), {})
    const part = await parts.open('id')
    await part.append(chunks('content'))
    await expect(part.place('a', {})).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    await part.close()
    expect(await parts.bytes('id')).toBe(7)
  })
}

function taking(open: Open): void {
  test('a file that another program wrote is taken, followed, verified and placed', async () => {
    const { parts, files, index, writeIncoming, leftovers } = await open()
    await writeIncoming('0/12/0000000012', LONG)
    const part = await parts.take('0/12/0000000012')
    expect(part.bytes).toBe(LONG.byteLength)
    await expect(parts.take('0/12/0000000012')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    const growing = part.follow('x/a')
    const read = followed(growing)
    await part.place('x/a', { size: LONG.byteLength, sha256: sha256(LONG), digests: SHA256_ONLY })
    await part.close()
    expect((await read).equals(LONG)).toBe(true)
    growing.release()
    expect((await contentOf(files, 'x/a'))?.equals(LONG)).toBe(true)
    expect(index.get('x/a')).toMatchObject({ sha256: sha256(LONG) })
    expect(await leftovers()).toEqual([])
  })

  test('one that was taken and not placed is gone', async () => {
    const { parts, files, writeIncoming, leftovers } = await open()
    await writeIncoming('a', 'content')
    const part = await parts.take('a')
    await expect(part.place('a', { sha256: sha256('other') })).rejects.toMatchObject({ code: 'CORRUPT' })
    await part.close()
    await expect(parts.take('a')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(await files.open('a')).toBeUndefined()
    expect(await leftovers()).toEqual([])
  })

  test.for(['', '..', '../a', 'a/../b', '/etc/passwd', 'a//b', './a', 'a\0', 'a\\b'])(
    '%j is no file to be taken',
    async (name) => {
      const { parts, writeIncoming } = await open()
      await writeIncoming('a', 'content')
      await expect(parts.take(name)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    },
  )

  test('what is not there is NOT_FOUND', async () => {
    const { parts } = await open()
    await expect(parts.take('absent')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(parts.take('absent/too')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
}

function lasting(open: Open): void {
  test('parts survive a restart, and what came before it is verified too', async () => {
    const before = await open()
    const part = await before.parts.open('a')
    await part.append(chunks(LONG))
    await part.close()
    const { parts, files } = await before.reopen!()
    expect(await parts.bytes('a')).toBe(LONG.byteLength)
    const again = await parts.open('a')
    await again.append(chunks(LONG))
    await again.place('a', { size: TWICE.byteLength, sha256: sha256(TWICE) })
    await again.close()
    expect((await contentOf(files, 'a'))?.equals(TWICE)).toBe(true)
  })
}
