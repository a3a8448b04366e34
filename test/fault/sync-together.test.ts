import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { FileEntry } from '../../src/core/files/entry.ts'
import type { FileSource } from '../../src/core/files/source.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { MemorySource } from '../helpers/memory-source.ts'
import { contents, hastyClock, once } from '../helpers/pulling.ts'

const LARGE = 20 * 1024 * 1024

/** A source in the middle of whose first body something else happens. */
function interrupted(source: MemorySource, meanwhile: () => Promise<unknown>): FileSource {
  let isFirst = true
  return {
    name: source.name,
    sorted: true,
    list: (scope) => source.list(scope),
    async open(entry: FileEntry, options) {
      const body = await source.open(entry, options)
      return (async function* () {
        for await (const chunk of body) {
          yield chunk
          if (!isFirst) continue
          isFirst = false
          await meanwhile()
        }
      })()
    },
    close: async () => source.close(),
  }
}

test('two syncs that bring different files under one name into one folder do not mix them', async () => {
  const [one, other] = [new MemorySource({ name: 'one' }), new MemorySource({ name: 'other' })]
  one.put('a/large', Buffer.alloc(LARGE, 'one'))
  other.put('a/large', Buffer.alloc(LARGE, 'other'))
  const to = temporaryFolder()
  let seen: Buffer | undefined
  const source = interrupted(one, async () => {
    expect(await once(other, to)).toMatchObject({ complete: true, fetched: 1, failed: 0 })
    seen = readFileSync(join(to, 'a/large'))
  })
  expect(await once(source, to)).toMatchObject({ complete: true, fetched: 1, failed: 0 })
  expect(seen?.equals(Buffer.alloc(LARGE, 'other'))).toBe(true)
  expect(readFileSync(join(to, 'a/large')).equals(Buffer.alloc(LARGE, 'one'))).toBe(true)
  expect(readdirSync(join(to, 'a'))).toEqual(['large'])
})

test('a sync that ends leaves alone what another one gathers in the same folder', async () => {
  const [one, other] = [new MemorySource({ name: 'one' }), new MemorySource({ name: 'other' })]
  one.put('a/large', Buffer.alloc(LARGE, 'one'))
  other.put('a/small', 'x')
  const to = temporaryFolder()
  await once(other, to)
  other.put('a/second', 'y')
  const source = interrupted(one, async () => {
    expect(await once(other, to, { verify: true })).toMatchObject({ complete: true, fetched: 1 })
  })
  expect(await once(source, to)).toMatchObject({ complete: true, fetched: 1, failed: 0 })
  expect(Object.keys(contents(to))).toEqual(['a/large', 'a/second', 'a/small'])
})

test('what another sync has left behind goes when nobody has written to it for long', async () => {
  const source = new MemorySource()
  source.put('a/small', 'x')
  const to = temporaryFolder()
  mkdirSync(join(to, 'a'))
  const left = join(to, 'a/.flotilla-tmp-sync-0123456789abcdef-0123')
  writeFileSync(left, 'left')
  utimesSync(left, 1, 1)
  await once(source, to, { verify: true })
  await once(source, to, { verify: true })
  expect(existsSync(left)).toBe(true)
  const later = { ...hastyClock, nowMs: () => systemClock.nowMs() + 2 * 3_600_000 }
  await once(source, to, { verify: true, clock: later })
  expect(existsSync(left)).toBe(false)
})

test('what a sync that was killed has left in folders that it had not noted yet goes with the next one', async () => {
  const source = new MemorySource()
  source.put('a/small', 'x', 1_700_000_000_000)
  const to = temporaryFolder()
  await once(source, to)
  const [mark] = readdirSync(join(to, '.flotilla-state')).flatMap((name) => /^sync-(\w+)\.db$/.exec(name)?.[1] ?? [])
  source.put('b/placed', 'y', 1_700_000_000_000)
  source.put('b/c/placed', 'y', 1_700_000_000_000)
  source.put('d/missing', 'z', 1_700_000_000_000)
  for (const folder of ['b/c', 'd']) mkdirSync(join(to, folder), { recursive: true })
  for (const path of ['b/placed', 'b/c/placed']) {
    writeFileSync(join(to, path), 'y')
    utimesSync(join(to, path), 1_700_000_000, 1_700_000_000)
  }
  for (const folder of ['b', 'b/c', 'd']) writeFileSync(join(to, `${folder}/.flotilla-tmp-sync-${mark}-0123-1`), 'half')
  writeFileSync(join(to, 'd/.flotilla-tmp-sync-0123456789abcdef-0123-1'), 'of another')
  expect(await once(source, to)).toMatchObject({ complete: true, fetched: 1 })
  const left = readdirSync(to, { recursive: true, encoding: 'utf8' }).filter((path) => path.includes('tmp-sync'))
  expect(left).toEqual(['d/.flotilla-tmp-sync-0123456789abcdef-0123-1'])
})

test('what a sync that was killed has left of a new folder goes', async () => {
  const source = new MemorySource()
  source.put('a/small', 'x')
  const to = temporaryFolder()
  await once(source, to)
  const [mark] = readdirSync(join(to, '.flotilla-state')).flatMap((name) => /^sync-(\w+)\.db$/.exec(name)?.[1] ?? [])
  const left = join(to, `a/.flotilla-tmp-sync-${mark}-0123`)
  mkdirSync(left)
  writeFileSync(join(left, 'half'), 'half')
  await once(source, to, { verify: true })
  expect(existsSync(left)).toBe(false)
  expect(Object.keys(contents(to))).toEqual(['a/small'])
})
