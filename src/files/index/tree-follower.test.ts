import * as fc from 'fast-check'
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it, test } from 'vitest'
import { compareKeys } from '../../core/files/entry.ts'
import { timeEtag } from '../../core/files/etag.ts'
import { GENERATIONS } from '../../lib/inside.ts'
import { systemClock } from '../../lib/system-clock.ts'
import { keyPath } from '../../lib/safe-path.ts'
import { temporaryFolder, writeFiles } from '../../../test/helpers/folder.ts'
import { type FollowedFolder, followFolder } from '../../../test/helpers/followed-folder.ts'
import { needs } from '../../../test/helpers/needs.ts'

const POLL = { timeout: 15_000, interval: 10 }

/** What the folder holds, seen with other eyes. */
function listed(root: string): readonly (readonly [string, number])[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .map((path) => [path, statSync(join(root, path)).size] as const)
    .toSorted(([a], [b]) => compareKeys(a, b))
}

const indexed = ({ entries }: FollowedFolder): readonly (readonly [string, number])[] =>
  entries().map(({ key, size }) => [key, size] as const)

/** Old enough to be whole at once. */
function put(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
  utimesSync(path, 1e9, 1e9 + content.length)
}

const name = fc.constantFrom('a', 'b', 'ü', 'a.b', '\u{1F600}', 'z-9')
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'))
const action = fc.oneof(
  fc.record({ do: fc.constant('put' as const), path, content: fc.string({ maxLength: 5 }) }),
  fc.record({ do: fc.constant('remove' as const), path }),
  fc.record({ do: fc.constant('move' as const), path, to: path }),
  fc.record({ do: fc.constant('pause' as const) }),
)

/** What cannot be done, such as a file below a file, is not done. */
async function perform(root: string, one: typeof action extends fc.Arbitrary<infer T> ? T : never): Promise<void> {
  try {
    if (one.do === 'put') put(join(root, one.path), one.content)
    else if (one.do === 'remove') rmSync(join(root, one.path), { recursive: true })
    else if (one.do === 'move') renameSync(join(root, one.path), join(root, one.to))
    else await systemClock.sleep(1)
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBeDefined()
  }
}

describe.each([
  ['watched', 1000],
  ['scanned', 0],
])('a folder that is %s', (_, watchesMax) => {
  it('is in the index as it is, whatever is done to it', async () => {
    const folder = followFolder({ watchesMax })
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 25 }), async (actions) => {
        for (const one of actions) await perform(folder.root, one)
        await folder.follower.scanned()
        expect(indexed(folder)).toEqual(listed(folder.root))
        const { files, bytes } = folder.writer.totals
        expect({ files, bytes }).toEqual({
          files: listed(folder.root).length,
          bytes: listed(folder.root).reduce((sum, [, size]) => sum + size, 0),
        })
      }),
      { numRuns: 15 },
    )
  })
})

it('a folder that is watched is followed without being scanned again', async () => {
  const folder = followFolder()
  await folder.follower.scanned()
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 25 }), async (actions) => {
      for (const one of actions) await perform(folder.root, one)
      await expect.poll(() => indexed(folder), POLL).toEqual(listed(folder.root))
    }),
    { numRuns: 15 },
  )
})

it('keys that no file can be called are found under their escaped names', async () => {
  const folder = followFolder()
  const keys = ['a//b', 'a/', '/a', '..', 'x/./y', 'k'.repeat(600), '.flotilla-tmp-mine', 'tilde~', 'a/b']
  for (const key of keys) put(join(folder.root, keyPath(key)), key)
  await folder.follower.scanned()
  expect(folder.keys()).toEqual(keys.toSorted(compareKeys))
  await folder.follower.scanned()
  rmSync(join(folder.root, keyPath('a//b')))
  await folder.follower.scanned()
  expect(folder.keys()).toEqual(keys.filter((key) => key !== 'a//b').toSorted(compareKeys))
})

it('names that are no UTF-8 are passed over, those with the replacement character are not', async () => {
  const folder = followFolder()
  writeFileSync(Buffer.concat([Buffer.from(`${folder.root}/bad-`), Buffer.from([0xff])]), 'x')
  put(join(folder.root, 'good-\uFFFD'), 'x')
  await folder.follower.scanned()
  expect(folder.keys()).toEqual(['good-\uFFFD'])
})

it('what is no regular file is passed over', async () => {
  const outside = temporaryFolder({ secret: 'x', 'folder/secret': 'x' })
  const folder = followFolder()
  put(join(folder.root, 'file'), 'x')
  symlinkSync(join(outside, 'secret'), join(folder.root, 'link'))
  symlinkSync(outside, join(folder.root, 'folder'))
  symlinkSync('file', join(folder.root, 'inner'))
  symlinkSync('missing', join(folder.root, 'dangling'))
  symlinkSync('.', join(folder.root, 'circle'))
  await folder.follower.scanned()
  expect(folder.keys()).toEqual(['file'])
})

describe('a file that is being written', () => {
  it('is hidden until it is left alone', async () => {
    const folder = followFolder({ settleMs: 1000 })
    await folder.follower.scanned()
    const path = join(folder.root, 'growing')
    const startedMs = Date.now()
    writeFileSync(path, 'x')
    for (let size = 1; size < 20; size++) {
      appendFileSync(path, 'x')
      // On a machine that stood still for that long, nothing can be said.
      if (Date.now() - startedMs < 900) expect(folder.keys()).toEqual([])
      await systemClock.sleep(20)
    }
    await expect.poll(() => indexed(folder), POLL).toEqual([['growing', 20]])
    expect(Date.now() - statSync(path).mtimeMs).toBeGreaterThanOrEqual(1000)
  })

  it('is there at once when it was renamed into its place', async () => {
    const folder = followFolder({ settleMs: 3_600_000 })
    await folder.follower.scanned()
    const temporary = join(folder.root, 'name~')
    writeFileSync(temporary, 'x')
    await expect.poll(() => Date.now() - statSync(temporary).mtimeMs, POLL).toBeGreaterThan(10)
    renameSync(temporary, join(folder.root, 'name'))
    await expect.poll(folder.keys, POLL).toEqual(['name'])
  })

  it('is there after a while even if its time is ahead of the clock', async () => {
    const folder = followFolder()
    put(join(folder.root, 'ahead'), 'x')
    const later = Date.now() / 1000 + 86_400
    utimesSync(join(folder.root, 'ahead'), later, later)
    await expect.poll(folder.keys, POLL).toEqual(['ahead'])
  })

  it('has the size it had when it was left alone, and a new one after the next write', async () => {
    const folder = followFolder()
    put(join(folder.root, 'log'), 'one')
    await expect.poll(() => indexed(folder), POLL).toEqual([['log', 3]])
    appendFileSync(join(folder.root, 'log'), ' two')
    await expect.poll(() => indexed(folder), POLL).toEqual([['log', 7]])
  })
})

describe('links of generations', () => {
  const files = Array.from({ length: 40 }, (_, index) => `f${index}`)

  function generation(root: string, number: number): void {
    for (const file of files) put(join(root, GENERATIONS, 'icon', String(number), 'sub', file), `${number}`.repeat(5))
  }

  function flip(root: string, number: number): void {
    symlinkSync(`../${GENERATIONS}/icon/${number}`, join(root, 'data/.flotilla-tmp-link'))
    renameSync(join(root, 'data/.flotilla-tmp-link'), join(root, 'data/icon'))
  }

  it('are followed, and what they lead to is there only under their place', async () => {
    const folder = followFolder()
    generation(folder.root, 1)
    put(join(folder.root, 'data/other'), 'x')
    flip(folder.root, 1)
    await folder.follower.scanned()
    expect(folder.keys()).toEqual([...files.map((file) => `data/icon/sub/${file}`), 'data/other'].toSorted(compareKeys))
    rmSync(join(folder.root, 'data/icon'))
    await expect.poll(folder.keys, POLL).toEqual(['data/other'])
  })

  it('show one generation or the other, never some of both', async () => {
    const folder = followFolder()
    generation(folder.root, 1)
    mkdirSync(join(folder.root, 'data'))
    flip(folder.root, 1)
    await folder.follower.scanned()
    for (let number = 2; number <= 12; number++) {
      for (const file of files)
        put(join(folder.root, GENERATIONS, 'icon', String(number), 'sub', file), 'x'.repeat(number))
      flip(folder.root, number)
      const sizes = (): ReadonlySet<number> => new Set(folder.entries().map(({ size }) => size))
      while (!sizes().has(number)) {
        expect(sizes().size).toBe(1)
        expect(folder.entries()).toHaveLength(files.length)
        await systemClock.sleep(1)
      }
      expect(sizes()).toEqual(new Set([number]))
    }
  })

  it.each([
    ['a generation that is there', '1'],
    ['one that is not', 'none'],
  ])('that led to %s may become plain folders in the same moment', async (_, led) => {
    const root = temporaryFolder()
    put(join(root, GENERATIONS, 'g/1/old'), 'old')
    symlinkSync(`${GENERATIONS}/g/${led}`, join(root, 'place'))
    const folder = followFolder({ root })
    await folder.follower.scanned()
    put(join(folder.root, 'beside/new'), 'new')
    rmSync(join(folder.root, 'place'))
    renameSync(join(folder.root, 'beside'), join(folder.root, 'place'))
    await expect.poll(() => indexed(folder), POLL).toEqual([['place/new', 3]])
    put(join(folder.root, 'place/newer'), 'newer')
    await expect.poll(() => indexed(folder).length, POLL).toBe(2)
  })

  it('that others set are not followed out of their folder', async () => {
    const outside = temporaryFolder({ 'x/1/secret': 'x' })
    const folder = followFolder()
    put(join(folder.root, GENERATIONS, 'g/1/in'), 'x')
    put(join(folder.root, 'file'), 'x')
    const links = [
      `${GENERATIONS}/g`,
      GENERATIONS,
      `${GENERATIONS}/g/1/in`,
      join(folder.root, GENERATIONS, 'g/1'),
      `${GENERATIONS}/../../${outside.split('/').at(-1)}`,
      `./../${folder.root.split('/').at(-1)}/${GENERATIONS}/g/1`,
    ]
    for (const [index, link] of links.entries()) symlinkSync(link, join(folder.root, `link${index}`))
    symlinkSync(join(outside, 'x'), join(folder.root, GENERATIONS, 'evil'))
    symlinkSync(`${GENERATIONS}/evil/1`, join(folder.root, 'through'))
    await folder.follower.scanned()
    expect(folder.keys()).toEqual(['file'])
  })

  it('leave the ETags of files as they are that both generations have', async () => {
    const folder = followFolder()
    generation(folder.root, 1)
    mkdirSync(join(folder.root, 'data'))
    flip(folder.root, 1)
    await folder.follower.scanned()
    const before = folder.entries()
    const [old, next] = [1, 2].map((number) => join(folder.root, GENERATIONS, 'icon', String(number), 'sub')) as [
      string,
      string,
    ]
    mkdirSync(next, { recursive: true })
    for (const file of files) linkSync(join(old, file), join(next, file))
    flip(folder.root, 2)
    await folder.follower.scanned()
    rmSync(old, { recursive: true })
    await folder.follower.scanned()
    expect(folder.entries()).toEqual(before)
    expect(before[0]?.etag).toBe(timeEtag(before[0]!))
  })
})

describe('a folder that is not what it was', () => {
  const content = { a: 'x', 'b/c': 'x' }

  it('keeps what is known of it while it is away', async () => {
    const folder = followFolder()
    writeFiles(folder.root, content)
    await folder.follower.scanned()
    renameSync(folder.root, `${folder.root}-away`)
    await folder.follower.scanned()
    expect(folder.keys()).toEqual(['a', 'b/c'])
    expect(folder.follower.state.problems.join()).toContain('ENOENT')
    renameSync(`${folder.root}-away`, folder.root)
    rmSync(join(folder.root, 'a'))
    await folder.follower.scanned()
    expect(folder.keys()).toEqual(['b/c'])
    expect(folder.follower.state.problems).toEqual([])
  })

  it('is not believed to be empty when it is another one', async () => {
    const folder = followFolder()
    writeFiles(folder.root, content)
    await folder.follower.scanned()
    renameSync(folder.root, `${folder.root}-away`)
    mkdirSync(folder.root)
    await folder.follower.scanned()
    expect(folder.keys()).toEqual(['a', 'b/c'])
    expect(folder.follower.state.problems.join()).toContain('not mounted')
    put(join(folder.root, 'new'), 'x')
    await folder.follower.scanned()
    expect(folder.keys()).toEqual(['new'])
    rmSync(`${folder.root}-away`, { recursive: true })
  })

  it('is believed to be empty when it was emptied', async () => {
    const folder = followFolder()
    writeFiles(folder.root, content)
    await folder.follower.scanned()
    for (const name of readdirSync(folder.root)) rmSync(join(folder.root, name), { recursive: true })
    await folder.follower.scanned()
    expect(folder.keys()).toEqual([])
  })
})

describe('a file system that is mounted in it', async () => {
  const rooted = await needs({ root: true })

  rooted('keeps what is known of it while it is not mounted', async ({ onTestFinished }) => {
    const { execFileSync } = await import('node:child_process')
    const folder = followFolder()
    const sub = join(folder.root, 'sub')
    mkdirSync(sub)
    put(join(folder.root, 'a'), 'x')
    const mount = (): unknown => execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', sub])
    const unmount = (): unknown => execFileSync('umount', ['-l', sub], { stdio: 'ignore' })
    mount()
    onTestFinished(() => void unmount())
    put(join(sub, 'on-share'), 'x')
    await folder.follower.scanned()
    expect(folder.keys()).toEqual(['a', 'sub/on-share'])
    unmount()
    rmSync(join(folder.root, 'a'))
    await folder.follower.scanned()
    expect(folder.keys()).toEqual(['sub/on-share'])
    expect(folder.follower.state.problems.join()).toContain('not mounted')
    mount()
    put(join(sub, 'other'), 'x')
    await folder.follower.scanned()
    expect(folder.keys()).toEqual(['sub/other'])
    expect(folder.follower.state.problems).toEqual([])
  })
})

describe('ways of following', () => {
  it('says so when not all folders can be watched, and finds what changes there when it scans', async () => {
    const folder = followFolder({ watchesMax: 2, blindScanMs: 50 })
    writeFiles(folder.root, { 'a/x': '1', 'b/x': '1', 'c/x': '1' })
    await folder.follower.scanned()
    expect(folder.follower.state).toMatchObject({ follows: 'scan', problems: [expect.stringContaining('2 folders')] })
    put(join(folder.root, 'c/new'), 'x')
    await expect.poll(folder.keys, POLL).toContain('c/new')
  })

  it('watches where the file system tells', async () => {
    const folder = followFolder()
    await folder.follower.scanned()
    expect(folder.follower.state).toMatchObject({ follows: 'watch', problems: [], scanning: false })
  })

  it('looks at what it is pointed at without being told', async () => {
    const folder = followFolder({ watchesMax: 0 })
    await folder.follower.scanned()
    put(join(folder.root, 'a/b/c'), 'x')
    folder.follower.look('a')
    await expect.poll(folder.keys, POLL).toEqual(['a/b/c'])
    rmSync(join(folder.root, 'a'), { recursive: true })
    folder.follower.look('a')
    await expect.poll(folder.keys, POLL).toEqual([])
  })
})

test('a folder that is exchanged for a link, again and again, never shows what lies outside', async () => {
  const rounds = process.env['FLOTILLA_SOAK'] === '1' ? 100_000 : 200
  const outside = temporaryFolder()
  const folder = followFolder()
  for (let file = 0; file < 30; file++) put(join(folder.root, `d/in${file}`), 'in')
  // Also under the same names, told apart by the size.
  for (let file = 0; file < 30; file++) put(join(outside, `in${file}`), 'outside')
  for (let file = 0; file < 30; file++) put(join(outside, `out${file}`), 'outside')
  const [real, away, link] = ['d', 'away~', 'link~'].map((part) => join(folder.root, part)) as [string, string, string]
  symlinkSync(outside, link)
  for (let round = 0; round < rounds; round++) {
    renameSync(real, away)
    renameSync(link, real)
    if (round % 25 === 0) folder.follower.look('d')
    if (round % 10 === 0) await systemClock.sleep(0)
    renameSync(real, link)
    renameSync(away, real)
    if (round % 10 === 0) await systemClock.sleep(0)
    if (round % 100 === 0) expect(folder.entries().filter(({ size }) => size !== 2)).toEqual([])
  }
  await folder.follower.scanned()
  expect(folder.entries().map(({ size }) => size)).toEqual(Array.from({ length: 30 }, () => 2))
})

// The superuser may read everything.
const asUser = process.getuid?.() === 0 ? undefined : test
asUser?.('rights of a folder that are taken away leave what is known of it', async () => {
  const folder = followFolder()
  writeFiles(folder.root, { 'a/x': '1', 'b/x': '1' })
  await folder.follower.scanned()
  chmodSync(join(folder.root, 'a'), 0)
  await folder.follower.scanned()
  chmodSync(join(folder.root, 'a'), 0o755)
  expect(folder.keys()).toEqual(['a/x', 'b/x'])
})
