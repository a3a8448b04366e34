import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { crashPoints, runUntil, someOf } from '../../../test/helpers/crash.ts'
import { temporaryFolder, writeFiles } from '../../../test/helpers/folder.ts'
import { needs } from '../../../test/helpers/needs.ts'
import type { Clock } from '../../core/clock.ts'
import { systemClock } from '../../lib/system-clock.ts'
import { type Group, openGroup } from './group.ts'
import { type Generation, layoutOf } from './layout.ts'

const FLIPPING = join(import.meta.dirname, '../../../test/helpers/flipping.ts')
/** From the folder `data`. */
const TO_ONE = '../.flotilla-generations/data%2Ficon/1-one'
const isSoak = process.env['FLOTILLA_SOAK'] === '1'
const READS = isSoak ? 100_000 : 2000
const FLIPS = isSoak ? 1000 : 50

interface Opened {
  readonly root: string
  readonly group: Group
}

async function opened(root = temporaryFolder(), clock: Clock = systemClock, key = 'data/icon'): Promise<Opened> {
  return { root: realpathSync(root), group: await openGroup({ root, group: key, clock }) }
}

/** Stages, seals and flips to these files. */
async function published(
  { root, group }: Opened,
  files: Readonly<Record<string, string>>,
  id = 'x',
): Promise<Generation> {
  const generation = await sealed({ root, group }, files, id)
  await group.flip(generation)
  return generation
}

async function sealed(
  { root, group }: Opened,
  files: Readonly<Record<string, string>>,
  id: string,
): Promise<Generation> {
  const staging = await group.stage()
  writeFiles(join(root, staging.folder), files)
  return group.seal(id)
}

function textAt(root: string, path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** Everything under our own names, but the links and the generations themselves. */
function litterIn(root: string): readonly string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => path.includes('.flotilla-tmp-'))
}

describe('a group', () => {
  test('becomes visible as a whole, and the older stays for those who opened it', async () => {
    const { root, group } = await opened()
    expect(await group.current()).toBeUndefined()
    const one = await published({ root, group }, { a: 'one', 'sub/b': 'one' }, 'first')
    expect(await group.current()).toEqual(one)
    expect(readlinkSync(join(root, 'data/icon'))).toBe('../.flotilla-generations/data%2Ficon/1-first')
    const folder = openSync(join(root, 'data/icon'), 'r')
    await published({ root, group }, { a: 'two', 'sub/b': 'two' }, 'second')
    expect([textAt(root, 'data/icon/a'), textAt(root, 'data/icon/sub/b')]).toEqual(['two', 'two'])
    expect(readFileSync(`/proc/self/fd/${folder}/a`, 'utf8')).toBe('one')
    expect(readFileSync(`/proc/self/fd/${folder}/sub/b`, 'utf8')).toBe('one')
    closeSync(folder)
    expect((await group.list()).map(({ number, id }) => [number, id])).toEqual([
      [1, 'first'],
      [2, 'second'],
    ])
    expect(litterIn(root)).toEqual([])
  })

  test('goes back to an older generation, and forward again', async () => {
    const { root, group } = await opened()
    const one = await published({ root, group }, { a: 'one' })
    const two = await published({ root, group }, { a: 'two' })
    await group.flip(one)
    expect(textAt(root, 'data/icon/a')).toBe('one')
    await group.flip(two)
    await group.flip(two)
    expect(textAt(root, 'data/icon/a')).toBe('two')
    await expect(group.flip({ ...two, folder: `${two.folder}x` })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('takes over files that are unchanged without copying, and no others', async () => {
    const { root, group } = await opened()
    await published({ root, group }, { same: 'same', 'sub/same': 'same', other: 'other' })
    const { size, mtimeMs } = lstatSync(join(root, 'data/icon/sub/same'))
    const staging = await group.stage()
    expect(await staging.take('same')).toBe(true)
    expect(await staging.take('sub/same', { size, modifiedMs: mtimeMs })).toBe(true)
    expect(await staging.take('sub/same', { size, modifiedMs: mtimeMs })).toBe(true)
    expect(await staging.take('other', { size, modifiedMs: mtimeMs })).toBe(false)
    expect(await staging.take('other', { size: 5, modifiedMs: 1000 })).toBe(false)
    expect(await staging.take('missing/x')).toBe(false)
    expect(await staging.take('sub')).toBe(false)
    await group.flip(await group.seal('next'))
    expect(lstatSync(join(root, 'data/icon/same')).nlink).toBe(2)
    expect(readdirSync(join(root, 'data/icon'), { recursive: true, encoding: 'utf8' }).toSorted()).toEqual([
      'same',
      'sub',
      'sub/same',
    ])
  })

  test('goes on with what was staged before a restart, and drops what is not wanted', async () => {
    const before = await opened()
    const staging = await before.group.stage()
    expect(staging.isResumed).toBe(false)
    writeFiles(join(before.root, staging.folder), {
      a: 'a',
      'sub/b': 'b',
      'gone/c': 'c',
      'sub/.flotilla-tmp-part': 'x',
    })
    const { root, group } = await opened(before.root)
    expect((await group.stage()).isResumed).toBe(true)
    await group.flip(await group.seal('x', (path) => path !== 'gone/c'))
    expect(readdirSync(join(root, 'data/icon'), { recursive: true, encoding: 'utf8' }).toSorted()).toEqual([
      'a',
      'sub',
      'sub/b',
    ])
    expect((await group.stage()).isResumed).toBe(false)
    await group.discard()
    expect(litterIn(root)).toEqual([])
  })

  test('keeps what it is told to, what is young, staged or opened, and sweeps the rest', async () => {
    let nowMs = Date.now()
    const { root, group } = await opened(temporaryFolder(), { ...systemClock, nowMs: () => nowMs })
    for (const id of ['a', 'b', 'c', 'd', 'e']) {
      await published({ root, group }, { file: id }, id)
      nowMs += 60_000
    }
    await sealed({ root, group }, { file: 'staged' }, 'staged')
    const ids = async (): Promise<string> => (await group.list()).map(({ id }) => id).join(' ')
    // They were replaced 4, 3, 2 and 1 minutes ago.
    expect((await group.sweep({ keep: 0, minAgeMs: 230_000 })).map(({ id }) => id)).toEqual(['a'])
    expect(await ids()).toBe('b c d e staged')
    const folder = openSync(join(root, '.flotilla-generations/data%2Ficon/2-b'), 'r')
    await group.sweep({ keep: 1, minAgeMs: 0 })
    expect(await ids()).toBe('b d e staged')
    closeSync(folder)
    await group.sweep({ keep: 1, minAgeMs: 0 })
    expect(await ids()).toBe('d e staged')
    await group.sweep({ keep: 0, minAgeMs: 0 })
    expect(await ids()).toBe('e staged')
    const [current, staged] = await group.list()
    await expect(group.remove(current!)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    await group.remove(staged!)
    expect(await ids()).toBe('e')
    expect(litterIn(root)).toEqual([])
  })

  test('removing a generation follows no link out of it', async () => {
    const { root, group } = await opened()
    const outside = temporaryFolder({ 'precious/file': 'x' })
    const one = await published({ root, group }, { a: 'one' })
    symlinkSync(outside, join(root, one.folder, 'link'))
    await published({ root, group }, { a: 'two' })
    expect(await group.sweep({ keep: 0, minAgeMs: 0 })).toEqual([one])
    expect(existsSync(join(outside, 'precious/file'))).toBe(true)
  })

  test('of a folder that was there before: it is exchanged, and kept as the oldest', async () => {
    const root = temporaryFolder({ 'data/icon/a': 'before', 'data/icon/b': 'before' })
    const { group } = await opened(root)
    const folder = openSync(join(root, 'data/icon'), 'r')
    const staging = await group.stage()
    expect(await staging.take('b')).toBe(true)
    writeFiles(join(root, staging.folder), { a: 'after' })
    await group.flip(await group.seal('x'))
    expect([textAt(root, 'data/icon/a'), textAt(root, 'data/icon/b')]).toEqual(['after', 'before'])
    expect(readFileSync(`/proc/self/fd/${folder}/a`, 'utf8')).toBe('before')
    closeSync(folder)
    expect((await group.list()).map(({ number, id }) => [number, id])).toEqual([
      [0, 'folder'],
      [1, 'x'],
    ])
    expect(await group.sweep({ keep: 0, minAgeMs: 10_000 })).toEqual([])
    expect(await group.sweep({ keep: 0, minAgeMs: 0 })).toMatchObject([{ id: 'folder' }])
    expect(litterIn(root)).toEqual([])
  })

  test('of what is in the way, a file or a link of others, is BAD_REQUEST, and that stays', async () => {
    for (const put of [(path: string) => writeFileSync(path, 'x'), (path: string) => symlinkSync('/etc', path)]) {
      const { root, group } = await opened()
      mkdirSync(join(root, 'data'))
      put(join(root, 'data/icon'))
      const generation = await sealed({ root, group }, { a: 'one' }, 'x')
      await expect(group.flip(generation)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
      expect(lstatSync(join(root, 'data/icon')).isDirectory()).toBe(false)
      expect(await group.current()).toBeUndefined()
    }
  })

  test.for(['icon', '../../out', 'a//b', `${'x'.repeat(200)}/${'y'.repeat(200)}`, 'data/ü %2F'])(
    'of any key: %j',
    async (key) => {
      const { root, group } = await opened(temporaryFolder(), systemClock, key)
      await published({ root, group }, { a: 'one' })
      await published({ root, group }, { a: 'two' })
      const again = await openGroup({ root, group: key, clock: systemClock })
      await expect(again.current()).resolves.toMatchObject({
        number: 2,
      })
      expect(await group.sweep({ keep: 0, minAgeMs: 0 })).toHaveLength(1)
      expect(litterIn(root)).toEqual([])
    },
  )

  test('of a folder that was there before, where nothing can exchange names', async () => {
    const path = process.env['PATH']
    onTestFinished(() => void (process.env['PATH'] = path))
    process.env['PATH'] = ''
    const { root, group } = await opened(temporaryFolder({ 'data/icon/a': 'before' }))
    await published({ root, group }, { a: 'after' })
    expect(textAt(root, 'data/icon/a')).toBe('after')
    expect(textAt(root, '.flotilla-generations/data%2Ficon/0-folder/a')).toBe('before')
    expect(litterIn(root)).toEqual([])
  })

  test.for<[string, (paths: { place: string; onItsWay: string; former: string }) => void, string]>([
    ['before anything was exchanged', ({ onItsWay }) => symlinkSync(TO_ONE, onItsWay), 'before'],
    [
      'when both were exchanged',
      ({ place, onItsWay }) => {
        renameSync(place, onItsWay)
        symlinkSync(TO_ONE, place)
      },
      'after',
    ],
    [
      'when the folder had gone and the link had not come',
      ({ place, onItsWay, former }) => {
        symlinkSync(TO_ONE, onItsWay)
        renameSync(place, former)
      },
      'after',
    ],
  ])('goes on after a first flip that was broken off %s', async ([, broken, shows]) => {
    const { root, group } = await opened(temporaryFolder({ 'data/icon/a': 'before' }))
    await sealed({ root, group }, { a: 'after' }, 'one')
    const { onItsWay, folder } = layoutOf('data/icon')
    const [place, former] = [join(root, 'data/icon'), join(root, folder, '0-folder')]
    broken({ place, onItsWay: join(root, 'data', onItsWay), former })
    const again = await opened(root)
    expect(textAt(root, 'data/icon/a')).toBe(shows)
    expect(existsSync(former)).toBe(shows === 'after')
    expect(litterIn(root)).toEqual([])
    await published(again, { a: 'next' })
    expect(textAt(root, 'data/icon/a')).toBe('next')
  })

  test(
    'never shows files of two generations, while one after the other is published by a process that is killed',
    { timeout: 3_600_000 },
    async () => {
      const root = realpathSync(temporaryFolder({ 'place/same': 'x' }))
      for (let file = 0; file < 5; file++) writeFiles(root, { [`place/sub${file}/file`]: '0' })
      const flipper = new Flipper(root)
      let reads = 0
      const seen = new Set<string>()
      while (reads < READS || flipper.flips < FLIPS) {
        const folder = openSync(join(root, 'place'), 'r')
        for (let round = 0; round < 10; round++) {
          const numbers = new Set<string>()
          for (let file = 0; file < 5; file++)
            numbers.add(readFileSync(`/proc/self/fd/${folder}/sub${file}/file`, 'utf8'))
          reads += 5
          if (numbers.size !== 1) expect.fail(`a mixed generation: ${[...numbers].join()}`)
          for (const number of numbers) seen.add(number)
          // The flipper goes on meanwhile; what it says is heard.
          await new Promise((resolve) => setImmediate(resolve))
        }
        closeSync(folder)
      }
      await flipper.stop()
      expect(flipper.kills).toBeGreaterThan(FLIPS / 20)
      expect(seen.size).toBeGreaterThan(FLIPS / 10)
      const group = await openGroup({ root, group: 'place', clock: systemClock })
      await group.discard()
      await group.sweep({ keep: 0, minAgeMs: 0 })
      const current = await group.current()
      expect((await group.list()).filter(({ number }) => number <= current!.number)).toEqual([current])
      expect(litterIn(root)).toEqual([])
      expect(lstatSync(join(root, 'place/same')).nlink).toBe((await group.list()).length)
    },
  )
})

/** Publishes in a process of its own, which is killed again and again. */
class Flipper {
  flips = 0
  kills = 0
  #isStopped = false
  readonly #ended: Promise<void>

  constructor(root: string) {
    this.#ended = this.#run(root)
    onTestFinished(async () => this.stop())
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#ended
  }

  async #run(root: string): Promise<void> {
    while (!this.#isStopped) {
      const child = spawn(process.execPath, [FLIPPING, root], { stdio: ['ignore', 'pipe', 'inherit'] })
      let left = 1 + Math.floor(Math.random() * 20)
      child.stdout.on('data', (text: Buffer) => {
        const lines = text.toString().split('\n').length - 1
        this.flips += lines
        left -= lines
        if (left <= 0 || this.#isStopped) setTimeout(() => child.kill('SIGKILL'), Math.random() * 20)
      })
      await once(child, 'close')
      this.kills++
    }
  }
}

const traced = await needs({ tools: ['strace'] })
traced(
  'a process that is killed at any moment leaves the old or the new, and nothing that is not swept',
  { timeout: 3_600_000 },
  async () => {
    const make = (): string => {
      const root = realpathSync(temporaryFolder({ 'place/same': 'x' }))
      for (let file = 0; file < 5; file++) writeFiles(root, { [`place/sub${file}/file`]: '0' })
      return root
    }
    const points = await crashPoints(FLIPPING, [make(), '2'])
    expect(points.some(({ syscall }) => syscall === 'symlink')).toBe(true)
    for (const point of someOf(points, 3)) {
      const root = make()
      await runUntil(point, FLIPPING, [root, '2'])
      const before = shownIn(root)
      const group = await openGroup({ root, group: 'place', clock: systemClock })
      const after = shownIn(root)
      expect(before === undefined || after === before).toBe(true)
      expect(['0', '1', '2']).toContain(after)
      await group.discard()
      await group.sweep({ keep: 0, minAgeMs: 0 })
      expect(litterIn(root)).toEqual([])
      expect(shownIn(root)).toBe(after)
      await published({ root, group }, { 'sub0/file': 'next' })
      expect(textAt(root, 'place/sub0/file')).toBe('next')
    }
  },
)

/** The number in all files of the place; undefined where there is none. */
function shownIn(root: string): string | undefined {
  if (!existsSync(join(root, 'place'))) return undefined
  const numbers = new Set(Array.from({ length: 5 }, (_, file) => textAt(root, `place/sub${file}/file`)))
  expect(numbers.size).toBe(1)
  return [...numbers][0]
}
