import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { setImmediate as immediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { FileEntry } from '../../../src/core/files/entry.ts'
import type { Growing } from '../../../src/core/files/growing.ts'
import { FOLLOW_BYTES, type PutOptions, type TreeFiles, type Turn } from '../../../src/core/files/tree-files.ts'
import { sha256 } from '../../../src/lib/hash.ts'
import type { FilesOfTree } from './tree-files.ts'

type Open = () => Promise<FilesOfTree>

const md5 = (content: Uint8Array | string): string => createHash('md5').update(content).digest('hex')
const LONG = Buffer.alloc(3_000_001, 'flotilla: ')

/** What every `TreeFiles` does for those who take part in writing: turns, followers, digests. */
export function treeWritersContract(name: string, open: Open): void {
  describe(name, () => {
    turns(open)
    following(open)
    ends(open)
    digests(open)
  })
}

async function* chunks(content: Uint8Array | string): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content)
  for (let at = 0; at < bytes.byteLength; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

async function contentOf(files: TreeFiles, key: string): Promise<string | undefined> {
  const file = await files.open(key)
  if (file === undefined) return undefined
  const content = await buffer(file.read(0, file.entry.size))
  await file.close()
  return String(content)
}

/** Reads behind the writer to the end. */
export async function followed(growing: Growing, onBytes?: (bytes: number) => void): Promise<Buffer> {
  const pieces: Buffer[] = []
  for (let position = 0; ;) {
    if (position < growing.written) {
      const piece = Buffer.alloc(100_000)
      const read = await growing.read(piece, position)
      expect(read).toBeGreaterThan(0)
      pieces.push(piece.subarray(0, read))
      position += read
      onBytes?.(position)
    } else if (growing.state === 'whole') return Buffer.concat(pieces)
    else if (growing.state === 'failed') throw new Error('failed')
    else await growing.changed({})
  }
}

function noting(): { readonly turn: Turn; readonly seen: (FileEntry | undefined)[] } {
  const seen: (FileEntry | undefined)[] = []
  return { seen, turn: { done: async (entry) => void seen.push(entry) } }
}

function turns(open: Open): void {
  test('a turn is told when the file is there or gone, also when there was none, and waited for', async () => {
    const { files, index } = await open()
    const seen: string[] = []
    const turn: Turn = {
      done: async (entry) => {
        await immediate()
        expect(entry).toEqual(index.get('a/b'))
        seen.push(`${entry?.size} ${await contentOf(files, 'a/b')}`)
      },
    }
    const put = await files.put('a/b', chunks('one'), { turn })
    expect(put).toEqual({ entry: index.get('a/b') })
    expect(seen).toEqual(['3 one'])
    expect(await files.remove('a/b', { turn })).toBe('removed')
    expect(await files.remove('a/b', { turn })).toBe('absent')
    expect(await files.remove('a/b/below/that', { turn })).toBe('absent')
    expect(seen).toEqual(['3 one', 'undefined undefined', 'undefined undefined', 'undefined undefined'])
  })

  test('what is not wanted is not done, as if a condition had failed', async () => {
    const { files, leftovers } = await open()
    await files.put('a', chunks('before'), {})
    const { seen, turn } = noting()
    const unwanted = { turn: { ...turn, isWanted: () => false } }
    expect(await files.put('a', chunks('after'), unwanted)).toBe('failed-condition')
    expect(await files.put('new/one', chunks('after'), unwanted)).toBe('failed-condition')
    expect(await files.remove('a', unwanted)).toBe('failed-condition')
    expect(await files.remove('absent/one', unwanted)).toBe('failed-condition')
    expect(await contentOf(files, 'a')).toBe('before')
    expect(await files.open('new/one')).toBeUndefined()
    expect(seen).toEqual([])
    expect(await leftovers()).toEqual([])
  })

  test('where there is no file here, conditions are about what others still have', async () => {
    const { files } = await open()
    const turn: Turn = { elsewhere: () => 'there', done: async () => undefined }
    const given = async (conditions: object): Promise<unknown> => files.put('a', chunks('new'), { ...conditions, turn })
    for (const conditions of [{ ifNoneMatch: ['*'] }, { ifNoneMatch: ['there'] }, { ifMatch: ['another'] }]) {
      expect(await given(conditions)).toBe('failed-condition')
    }
    expect(await files.remove('a', { ifMatch: ['another'], turn })).toBe('failed-condition')
    expect(await files.remove('a', { ifMatch: ['there'], turn })).toBe('absent')
    expect(await given({ ifMatch: ['there'] })).toHaveProperty('entry')
    // Once there is one here, it counts.
    expect(await given({ ifMatch: ['there'] })).toBe('failed-condition')
    expect(await given({ ifNoneMatch: ['there'] })).toHaveProperty('entry')
  })

  test('a turn is asked when the body has come and the conditions hold, and told of nothing that fails', async () => {
    const { files } = await open()
    const asked: string[] = []
    const turn: Turn = { isWanted: () => asked.push('wanted') > 0, done: async () => void asked.push('done') }
    const body = (async function* () {
      yield Buffer.from('x')
      asked.push('body')
    })()
    await files.put('a', body, { turn })
    expect(asked.splice(0)).toEqual(['body', 'wanted', 'done'])
    expect(await files.put('a', chunks('y'), { turn, ifNoneMatch: ['*'] })).toBe('failed-condition')
    expect(await files.remove('a', { turn, ifMatch: ['other'] })).toBe('failed-condition')
    expect(await files.remove('absent', { turn, ifMatch: ['*'] })).toBe('failed-condition')
    await expect(files.put('a', chunks('y'), { turn, size: 2 })).rejects.toMatchObject({ code: 'CORRUPT' })
    expect(asked).toEqual([])
  })

  test('turns of one key come one at a time, in the order in which it happens', async () => {
    const { files, index } = await open()
    let running = 0
    const order: (FileEntry | undefined)[] = []
    const turn: Turn = {
      isWanted: () => running === 0,
      done: async (entry) => {
        running++
        await immediate()
        expect(index.get('a')).toEqual(entry)
        order.push(entry)
        running--
      },
    }
    const work = Array.from({ length: 30 }, async (_, number) =>
      number % 3 === 2 ? files.remove('a', { turn }) : files.put('a', chunks(`${number}`.repeat(number)), { turn }),
    )
    expect(await Promise.all(work)).not.toContain('failed-condition')
    expect(order).toHaveLength(30)
    expect(order.at(-1)).toEqual(index.get('a'))
  })

  test('what a turn rejects with comes out, and the next one has its turn', async () => {
    const { files } = await open()
    const turn: Turn = {
      done: async () => {
        throw new Error('cannot be recorded')
      },
    }
    await expect(files.put('a', chunks('x'), { turn })).rejects.toThrow('cannot be recorded')
    await expect(files.remove('a', { turn })).rejects.toThrow('cannot be recorded')
    const { seen, turn: another } = noting()
    await files.put('a', chunks('y'), { turn: another })
    expect(seen).toMatchObject([{ key: 'a', size: 1 }])
  })
}

function following(open: Open): void {
  test('a long body is read behind its writer while it comes, and whole at its end', async () => {
    const { files } = await open()
    const [behind, isRead] = [Promise.withResolvers<Growing>(), Promise.withResolvers<void>()]
    const body = (async function* () {
      yield* chunks(LONG)
      // The rest comes when somebody has read what came before.
      await isRead.promise
      yield* chunks(LONG)
    })()
    const put = files.put('a', body, { follow: behind.resolve })
    const growing = await behind.promise
    expect(growing).toMatchObject({ key: 'a', state: 'growing' })
    const content = await followed(growing, (bytes) => {
      if (bytes >= FOLLOW_BYTES) isRead.resolve()
    })
    growing.release()
    expect(content.equals(Buffer.concat([LONG, LONG]))).toBe(true)
    expect(await put).toMatchObject({ entry: { size: 6_000_002 } })
  })

  test.for<[string, number, PutOptions, number]>([
    ['of the limit is there before anybody could follow', FOLLOW_BYTES, {}, 0],
    ['beyond the limit is followed', FOLLOW_BYTES + 1, {}, 1],
    ['announced as of the limit is not followed', FOLLOW_BYTES, { size: FOLLOW_BYTES }, 0],
    ['announced as longer is followed from the start, once', 3_000_000, { size: 3_000_000 }, 1],
  ])('a body %s', async ([, size, options, times]) => {
    const { files } = await open()
    const seen: Growing[] = []
    let sent = 0
    let sentWhenFollowed = 0
    const body = (async function* () {
      for await (const chunk of chunks(Buffer.alloc(size, 'x'))) {
        sent += chunk.byteLength
        yield chunk
      }
    })()
    const follow = (growing: Growing): void => {
      seen.push(growing)
      sentWhenFollowed = sent
    }
    await files.put('a', body, { ...options, follow })
    expect(seen).toHaveLength(times)
    for (const growing of seen) {
      expect((await followed(growing)).byteLength).toBe(size)
      growing.release()
    }
    if (times > 0 && options.size !== undefined) expect(sentWhenFollowed).toBe(0)
  })

  test('who follows reads to the end though the file was replaced and removed meanwhile', async () => {
    const { files } = await open()
    const { promise, resolve } = Promise.withResolvers<Growing>()
    await files.put('a', chunks(LONG), { follow: resolve })
    const growing = await promise
    await files.put('a', chunks('another'), {})
    await files.remove('a')
    expect(growing).toMatchObject({ state: 'whole', written: LONG.byteLength })
    expect((await followed(growing)).equals(LONG)).toBe(true)
    expect(await growing.read(Buffer.alloc(10), LONG.byteLength)).toBe(0)
    const end = Buffer.alloc(10)
    expect(await growing.read(end, LONG.byteLength - 3)).toBe(3)
    expect(end.subarray(0, 3).equals(LONG.subarray(-3))).toBe(true)
    growing.release()
  })
}

function ends(open: Open): void {
  test.for<[string, PutOptions]>([
    ['another size', { size: LONG.byteLength + 1 }],
    ['another SHA-256', { sha256: sha256('other') }],
    ['a condition that fails', { ifMatch: ['*'] }],
    ['a turn that does not want it', { turn: { isWanted: () => false, done: async () => undefined } }],
  ])('followers of a body with %s are told that nothing will come of it', async ([, options]) => {
    const { files, leftovers } = await open()
    const { promise, resolve } = Promise.withResolvers<Growing>()
    await files.put('a', chunks(LONG), { ...options, follow: resolve }).catch(() => undefined)
    const growing = await promise
    expect(growing.state).toBe('failed')
    growing.release()
    expect(await files.open('a')).toBeUndefined()
    expect(await leftovers()).toEqual([])
  })

  test('it is whole only after its last byte was verified, and who waits learns of it, or leaves with a signal', async () => {
    const { files } = await open()
    const { promise, resolve } = Promise.withResolvers<Growing>()
    const goesOn = Promise.withResolvers<void>()
    const body = (async function* () {
      yield* chunks(LONG)
      await goesOn.promise
      throw new Error('cut off')
    })()
    const put = files.put('a', body, { follow: resolve, size: LONG.byteLength })
    const growing = await promise
    const gone = new AbortController()
    const left = growing.changed({ signal: gone.signal })
    gone.abort(new Error('enough'))
    await expect(left).rejects.toThrow('enough')
    await expect(growing.changed({ signal: gone.signal })).rejects.toThrow('enough')
    const seen = (async () => {
      while (growing.state === 'growing') await growing.changed({})
      return growing.state
    })()
    goesOn.resolve()
    await expect(put).rejects.toThrow('cut off')
    expect(await seen).toBe('failed')
    growing.release()
  })
}

function digests(open: Open): void {
  const SHA256_ONLY = { md5: false, sha256: true }

  test('without an MD5 the ETag is that of files that came otherwise, and the SHA-256 is kept', async () => {
    const { files, index } = await open()
    const result = await files.put('a', chunks(LONG), { digests: SHA256_ONLY })
    const entry = index.get('a')
    expect(result).toEqual({ entry })
    expect(entry).toMatchObject({ sha256: sha256(LONG) })
    expect(entry?.md5).toBeUndefined()
    expect(entry?.etag).not.toMatch(/^[0-9a-f]{32}$/)
    const file = await files.open('a')
    expect(file).toMatchObject({ entry: { etag: entry?.etag }, facts: { sha256: sha256(LONG) } })
    expect(file?.facts?.md5).toBeUndefined()
    await file?.close()
  })

  test('an ETag that was promised holds, and both digests are kept where both are wanted', async () => {
    const { files, index } = await open()
    await files.put('a', chunks('x'), { digests: SHA256_ONLY, facts: () => ({ etag: 'promised', md5: md5('x') }) })
    expect(index.get('a')).toMatchObject({ etag: 'promised', md5: md5('x'), sha256: sha256('x') })
    await files.put('b', chunks('x'), { digests: { md5: true, sha256: true } })
    expect(index.get('b')).toMatchObject({ etag: md5('x'), md5: md5('x'), sha256: sha256('x') })
    await files.put('c', chunks('x'), {})
    expect(index.get('c')?.sha256).toBeUndefined()
  })

  test('what was announced is verified though it was not asked for', async () => {
    const { files } = await open()
    const none = { md5: false, sha256: false }
    for (const wrong of [{ md5: md5('y') }, { sha256: sha256('y') }, { size: 2 }]) {
      await expect(files.put('a', chunks('x'), { ...wrong, digests: none })).rejects.toMatchObject({ code: 'CORRUPT' })
    }
    expect(await files.put('a', chunks('x'), { md5: md5('x'), digests: none })).toMatchObject({
      entry: { etag: md5('x') },
    })
  })
}
