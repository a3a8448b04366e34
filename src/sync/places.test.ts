import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { contents } from '../../test/helpers/pulling.ts'
import { type FileCalls, localCalls } from '../lib/file-calls.ts'
import { type Ledger, Places, type Ready } from './places.ts'

function placesIn(root: string, calls: FileCalls): { readonly places: Places; readonly folders: Map<string, unknown> } {
  const folders = new Map<string, unknown>()
  const ledger: Ledger = {
    pathOf: (key) => key,
    transaction: (write) => write(),
    placed: () => undefined,
    folder: () => undefined,
    setFolder: (path, modifiedMs) => folders.set(path, modifiedMs),
  }
  return { places: new Places({ root, calls, ledger, mark: 'test' }), folders }
}

const ready = (key: string): Ready => {
  const bytes = Buffer.from(`of ${key}`)
  return { entry: { key, size: bytes.byteLength, modifiedMs: 1_700_000_000_000, etag: key }, origin: 0, bytes }
}

const FILES = ['new/deep/a', 'new/deep/b', 'new/deep/c'].map(ready)
const ALL = { 'new/deep/a': 'of new/deep/a', 'new/deep/b': 'of new/deep/b', 'new/deep/c': 'of new/deep/c' }

it('a folder that is not there yet becomes visible with all that is in it, by one renaming', async () => {
  const root = temporaryFolder()
  const renamed: string[] = []
  const calls: FileCalls = {
    ...localCalls,
    rename: (from, to) => {
      expect(existsSync(join(root, 'new/deep'))).toBe(false)
      renamed.push(to)
      return localCalls.rename(from, to)
    },
  }
  const { places, folders } = placesIn(root, calls)
  expect(await places.putAll(FILES)).toEqual(new Map())
  expect(renamed).toHaveLength(1)
  expect(contents(root)).toEqual(ALL)
  expect(readdirSync(join(root, 'new'))).toEqual(['deep'])
  expect(folders.get('new/deep')).toEqual(expect.any(Number))
  expect([folders.has('new'), folders.get('new')]).toEqual([true, undefined])
})

it('a folder that somebody else makes meanwhile keeps what is in it', async () => {
  const root = temporaryFolder()
  const calls: FileCalls = {
    ...localCalls,
    futimes: (...given) => {
      mkdirSync(join(root, 'new/deep'), { recursive: true })
      writeFileSync(join(root, 'new/deep/other'), 'other')
      void localCalls.futimes(...given)
    },
  }
  const { places } = placesIn(root, calls)
  expect(await places.putAll(FILES)).toEqual(new Map())
  expect(contents(root)).toEqual({ ...ALL, 'new/deep/other': 'other' })
  expect(readdirSync(root, { recursive: true }).filter((name) => String(name).includes('.flotilla-'))).toEqual([])
})

it('of a new folder in which one file cannot be, all others come', async () => {
  const root = temporaryFolder()
  const bad = ready(`new/deep/${'x'.repeat(300)}`)
  const { places } = placesIn(root, localCalls)
  expect([...(await places.putAll([...FILES, bad])).keys()]).toEqual([bad])
  expect(contents(root)).toEqual(ALL)
  expect(readdirSync(join(root, 'new'))).toEqual(['deep'])
})

it('while many files are written, others have their turn again and again', async () => {
  let written = 0
  const seen: number[] = []
  const calls: FileCalls = {
    ...localCalls,
    futimes: (...given) => {
      written += 1
      return localCalls.futimes(...given)
    },
    // As in memory, where nothing is waited for.
    sync: () => undefined,
  }
  const { places } = placesIn(temporaryFolder(), calls)
  const look = (): void => {
    seen.push(written)
    if (written < 200) setImmediate(look)
  }
  setImmediate(look)
  const files = Array.from({ length: 200 }, (_, index) => ready(`many/f${index}`))
  expect(await places.putAll(files)).toEqual(new Map())
  seen.push(written)
  const most = Math.max(...seen.map((count, index) => count - (seen[index - 1] ?? 0)))
  expect(most).toBeLessThan(50)
})
