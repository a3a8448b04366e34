import fc from 'fast-check'
import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { treeUploadsContract } from '../../../test/contract/files/tree-uploads.ts'
import { temporaryFolder } from '../../../test/helpers/folder.ts'
import { needs } from '../../../test/helpers/needs.ts'
import { NotedIndex } from '../../../test/helpers/noted-index.ts'
import { tinyDisk } from '../../../test/helpers/tiny-disk.ts'
import { longest } from '../../../test/helpers/soak.ts'
import type { Clock } from '../../core/clock.ts'
import { silent } from '../../core/log.ts'
import { systemClock } from '../../lib/system-clock.ts'
import { type FolderFiles, openTreeFiles } from './tree-files.ts'
import { type FolderUploads, openTreeUploads } from './uploads.ts'

const ALL = { after: 0, limit: 10_000 }
const AREA = '.flotilla-tmp-uploads'
const STORIES = process.env['FLOTILLA_SOAK'] === '1' ? 2000 : 60

interface Opened {
  readonly root: string
  readonly uploads: FolderUploads
  readonly files: FolderFiles
  readonly index: NotedIndex
  readonly reopen: () => Promise<Opened>
}

async function opened(root = temporaryFolder(), clock: Clock = systemClock, index = new NotedIndex()): Promise<Opened> {
  const files = await openTreeFiles({ root, index, clock, log: silent })
  onTestFinished(async () => files.close())
  const uploads = await openTreeUploads(files, { clock, log: silent })
  return { root, uploads, files, index, reopen: async () => opened(root, clock, index) }
}

async function* bodyOf(content: Uint8Array | string, fails = false): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content)
  if (fails) throw new Error('cut off')
}

/** As from a client that says how much it sends. */
async function put(uploads: FolderUploads, id: string, number: number, content: string): Promise<void> {
  await uploads.putPart('a', id, number, bodyOf(content), { size: content.length })
}

async function completed(uploads: FolderUploads, id: string): Promise<void> {
  const parts = (await uploads.parts('a', id, ALL))!
  expect(await uploads.complete('a', id, { parts, facts: {} })).toMatchObject({ entry: { key: 'a' } })
}

async function textOf(files: FolderFiles, key = 'a'): Promise<string | undefined> {
  const file = await files.open(key)
  if (file === undefined) return undefined
  const content = await buffer(file.read(0, file.entry.size))
  await file.close()
  return content.toString()
}

treeUploadsContract('uploads into a folder', async () => opened())

describe('uploads into a folder', () => {
  test('parts of one size, in any order, are the file already: nothing is copied', async () => {
    const { root, uploads, files, index } = await opened()
    const id = await uploads.create('a', {})
    for (const [number, content] of [
      [1, 'one..'],
      [4, 'end'],
      [3, 'three'],
      [2, 'two..'],
    ] as const)
      await put(uploads, id, number, content)
    const [folder = ''] = readdirSync(join(root, AREA))
    const { ino } = statSync(join(root, AREA, folder, 'whole'))
    await completed(uploads, id)
    expect(lstatSync(join(root, 'a')).ino).toBe(ino)
    expect(await textOf(files)).toBe('one..two..threeend')
    const md5s = ['one..', 'two..', 'three', 'end'].map((text) => createHash('md5').update(text).digest())
    expect(index.get('a')?.etag).toBe(`${createHash('md5').update(Buffer.concat(md5s)).digest('hex')}-4`)
    expect(readdirSync(root)).toEqual(['a'])
  })

  test('what was acknowledged is not touched by another try that fails, and is replaced by one that succeeds', async () => {
    const { uploads, files, root } = await opened()
    const id = await uploads.create('a', {})
    await put(uploads, id, 1, 'first')
    await put(uploads, id, 2, 'two')
    await expect(uploads.putPart('a', id, 1, bodyOf('wrong', true), { size: 5 })).rejects.toThrow('cut off')
    await put(uploads, id, 2, 'TWO')
    await put(uploads, id, 2, '222')
    await completed(uploads, id)
    expect(await textOf(files)).toBe('first222')
    expect(readdirSync(root)).toEqual(['a'])
  })

  test('a part that still comes in when the upload is completed gets into no file', async () => {
    const { uploads, files, root } = await opened()
    const id = await uploads.create('a', {})
    await put(uploads, id, 1, 'first')
    const [begun, ends] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const late = uploads.putPart(
      'a',
      id,
      2,
      (async function* () {
        begun.resolve()
        await ends.promise
        yield Buffer.from('later')
      })(),
      { size: 5 },
    )
    const refused = expect(late).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await begun.promise
    await completed(uploads, id)
    ends.resolve()
    await refused
    expect(await textOf(files)).toBe('first')
    expect(readdirSync(root)).toEqual(['a'])
  })

  test('a part that comes in after a failed completion does not get into what was laid out', async () => {
    const { uploads, files } = await opened()
    await files.put('a', bodyOf('there'), {})
    const id = await uploads.create('a', {})
    await put(uploads, id, 1, 'first')
    const parts = (await uploads.parts('a', id, ALL))!
    expect(await uploads.complete('a', id, { parts, facts: {}, ifNoneMatch: ['*'] })).toBe('failed-condition')
    await put(uploads, id, 2, 'later')
    await completed(uploads, id)
    expect(await textOf(files)).toBe('firstlater')
  })

  test('an aborted upload leaves nothing, also of the part that was coming in', async () => {
    const { uploads, root } = await opened()
    const id = await uploads.create('a', {})
    const body = (async function* () {
      yield Buffer.alloc(2_000_000)
      expect(await uploads.abort('a', id)).toBe(true)
      yield Buffer.alloc(2_000_000)
    })()
    await expect(uploads.putPart('a', id, 1, body, {})).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(await uploads.abort('a', id)).toBe(false)
    expect(readdirSync(root)).toEqual([])
  })

  test('what nobody has touched for a week is removed, and nothing else', async () => {
    let nowMs = Date.now()
    const { uploads, root } = await opened(temporaryFolder(), { ...systemClock, nowMs: () => nowMs })
    const id = await uploads.create('old', {})
    nowMs += 6 * 24 * 3_600_000
    await uploads.create('b', {})
    expect(await uploads.find('old', id)).toBeDefined()
    nowMs += 1.1 * 24 * 3_600_000
    await uploads.create('c', {})
    expect((await uploads.list({ prefix: '', afterKey: '', afterId: '', limit: 9 })).map(({ key }) => key)).toEqual([
      'c',
    ])
    expect(readdirSync(join(root, AREA))).toHaveLength(1)
  })

  test('an upload that was completed when the process died is no more, one that was begun neither', async () => {
    const { uploads, root, reopen } = await opened()
    const id = await uploads.create('a', {})
    await put(uploads, id, 1, 'first')
    const [folder = ''] = readdirSync(join(root, AREA))
    renameSync(join(root, AREA, folder, 'whole'), join(root, 'a'))
    const half = await uploads.create('b', {})
    const other = readdirSync(join(root, AREA)).find((name) => name !== folder)
    rmSync(join(root, AREA, other!, 'upload.json'))
    const again = await reopen()
    expect(await again.uploads.parts('a', id, ALL)).toEqual([])
    expect(await again.uploads.find('b', half)).toBeUndefined()
    expect(await again.uploads.abort('a', id)).toBe(true)
    expect(readdirSync(root)).toEqual(['a'])
    expect(readFileSync(join(root, 'a'), 'utf8')).toBe('first')
  })

  test(
    'whatever is sent, replaced, broken off, restarted and chosen, the file is what was chosen',
    { timeout: longest(600_000) },
    async () => {
      const step = fc.record({
        number: fc.integer({ min: 1, max: 6 }),
        size: fc.constantFrom(0, 1, 5, 5, 5, 5, 7),
        isTold: fc.boolean(),
        fails: fc.constantFrom(false, false, false, true),
        restarts: fc.constantFrom(false, false, false, true),
      })
      const story = fc.record({
        steps: fc.array(step, { maxLength: 14 }),
        left: fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 2 }),
      })
      await fc.assert(
        fc.asyncProperty(story, async ({ steps, left }) => {
          let { uploads, files, root, reopen } = await opened()
          const id = await uploads.create('a', {})
          const expected = new Map<number, string>()
          for (const [turn, { number, size, isTold, fails, restarts }] of steps.entries()) {
            const content = String.fromCharCode(97 + turn).repeat(size)
            const sending = uploads.putPart('a', id, number, bodyOf(content, fails), isTold ? { size } : {})
            if (fails) await expect(sending).rejects.toThrow('cut off')
            else expected.set(number, ((await sending).etag, content))
            if (restarts) ({ uploads, files, reopen } = await reopen())
          }
          const parts = (await uploads.parts('a', id, ALL))!
          expect(parts.map(({ number }) => number)).toEqual([...expected.keys()].toSorted((a, b) => a - b))
          const chosen = parts.filter(({ number }) => !left.includes(number))
          if (chosen.length === 0) return
          await uploads.complete('a', id, { parts: chosen, facts: {} })
          expect(await textOf(files)).toBe(chosen.map(({ number }) => expected.get(number)).join(''))
          expect(readdirSync(root)).toEqual(['a'])
        }),
        { numRuns: STORIES },
      )
    },
  )

  test('parts that come in at once and in any order are not mixed up', async () => {
    const { uploads, files } = await opened()
    const id = await uploads.create('a', {})
    const contents = Array.from({ length: 12 }, (_, at) => String.fromCharCode(97 + at).repeat(300_000))
    const slow = async function* (content: string): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < content.length; at += 50_000) {
        await new Promise((resolve) => setImmediate(resolve))
        yield Buffer.from(content.slice(at, at + 50_000))
      }
    }
    await Promise.all(
      contents.flatMap((content, at) => [
        uploads.putPart('a', id, at + 1, slow(content), { size: 300_000 }),
        uploads.putPart('a', id, at + 1, slow(content), { size: 300_000 }),
      ]),
    )
    await completed(uploads, id)
    expect(await textOf(files)).toBe(contents.join(''))
  })
})

const asRoot = await needs({ root: true })
asRoot('a part for which there is no room is DISK_FULL, and the others stay', async () => {
  const { uploads, files } = await opened(tinyDisk(4096))
  const id = await uploads.create('a', {})
  const part = Buffer.alloc(1_000_000, 1)
  await uploads.putPart('a', id, 1, bodyOf(part), { size: part.byteLength })
  const large = Buffer.alloc(5_000_000)
  for (const options of [{}, { size: large.byteLength }]) {
    await expect(uploads.putPart('a', id, 2, bodyOf(large), options)).rejects.toMatchObject({ code: 'DISK_FULL' })
  }
  await uploads.putPart('a', id, 2, bodyOf(part), { size: part.byteLength })
  await completed(uploads, id)
  expect((await textOf(files))?.length).toBe(2_000_000)
})
