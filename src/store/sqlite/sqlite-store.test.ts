import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { commit, put, rejects, watchSome, watchTo } from '../../../test/contract/store/under-test.ts'
import { temporaryFolder } from '../../../test/helpers/folder.ts'
import type { Store } from '../../core/store.ts'
import { systemClock } from '../../lib/system-clock.ts'
import { openSqliteStore, type SqliteStoreOptions } from './sqlite-store.ts'

const COMMIT_LOOP = join(import.meta.dirname, '../../../test/contract/store/commit-loop.ts')

const newPath = (): string => join(temporaryFolder(), 'store.db')
const open = (path: string, options: Partial<SqliteStoreOptions> = {}): Promise<Store> =>
  openSqliteStore({ path, clock: systemClock, ...options })

/** A closed store with something in it. */
async function written(): Promise<string> {
  const path = newPath()
  const store = await open(path)
  for (let index = 0; index < 200; index++) await commit(store, put(`k/${index}`, String(index).repeat(200)))
  await store.close()
  return path
}

describe('the file of a store', () => {
  it('is held by one process; another is told so and harms nothing', async () => {
    const path = newPath()
    const store = await open(path)
    await commit(store, put('a', '1'))
    await expect(open(path)).rejects.toMatchObject({
      code: 'STORE_IN_USE',
      message: `another process holds ${path}`,
      details: { file: path },
    })
    await commit(store, put('a', '2'))
    const other = spawnSync(process.execPath, [COMMIT_LOOP, path, '1', '1'], { encoding: 'utf8' })
    expect(other.stderr).toContain('STORE_IN_USE')
    expect(other.stdout).toBe('')
    await store.close()
    const next = await open(path)
    expect(await next.get('a')).toMatchObject({ value: '2', revision: 2 })
    await next.close()
  })

  it('can be read by its owner only', async () => {
    const path = newPath()
    const store = await open(path)
    await commit(store, put('a', '1'))
    for (const suffix of ['', '-wal']) expect(statSync(path + suffix).mode & 0o777).toBe(0o600)
    await store.close()
  })

  it('is refused when it is no database, cut short or altered', async () => {
    const garbage = newPath()
    writeFileSync(garbage, 'not a database at all, but long enough to look at '.repeat(100))
    const cut = await written()
    truncateSync(cut, Math.floor(statSync(cut).size / 2))
    const altered = await written()
    const bytes = readFileSync(altered)
    bytes.fill(0xff, 3 * 4096, 4 * 4096)
    writeFileSync(altered, bytes)
    for (const path of [garbage, cut, altered]) {
      const content = readFileSync(path)
      await expect(open(path)).rejects.toMatchObject({ code: 'CORRUPT', details: { file: path } })
      expect(readFileSync(path).equals(content)).toBe(true)
    }
  })

  it('is refused when another program or a later version made it', async () => {
    const foreign = newPath()
    change(foreign, 'CREATE TABLE t (x)')
    const content = readFileSync(foreign)
    await expect(open(foreign)).rejects.toThrow(`${foreign} is of another program`)
    await rejects(open(foreign), 'CONFIG_INVALID')
    expect(readFileSync(foreign).equals(content)).toBe(true)
    const later = await written()
    change(later, 'PRAGMA user_version = 2')
    await expect(open(later)).rejects.toThrow(`${later} has format 2; this version reads 1`)
    await rejects(open(later), 'CONFIG_INVALID')
  })

  it('is refused when it cannot be a file', async () => {
    const folder = temporaryFolder()
    mkdirSync(join(folder, 'store.db'))
    await rejects(open(join(folder, 'store.db')), 'CONFIG_INVALID')
    await rejects(open(join(folder, 'missing/store.db')), 'CONFIG_INVALID')
  })

  it('starts empty where an empty file lies, as after a crash at the first start', async () => {
    const path = newPath()
    writeFileSync(path, '')
    chmodSync(path, 0o600)
    const store = await open(path)
    expect(await commit(store, put('a', '1'))).toBe(1)
    await store.close()
  })
})

describe('closing', () => {
  it('writes and answers what was asked in the same turn', async () => {
    const path = newPath()
    const store = await open(path)
    const asked = commit(store, put('a', '1'))
    await store.close()
    expect(await asked).toBe(1)
    const again = await open(path)
    expect(await again.get('a')).toMatchObject({ value: '1' })
    await again.close()
  })
})

describe('the history in the file', () => {
  it('is bounded by its weight, too', async () => {
    const path = newPath()
    const store = await open(path, { keepBytes: 10_000, recentRevisions: 1 })
    for (let index = 0; index < 100; index++) await commit(store, put('a', 'x'.repeat(1000)))
    expect(await watchTo(store, 'a', 91, 100)).toHaveLength(9)
    await rejects(watchSome(store, 'a', 90, 1), 'COMPACTED')
    await commit(store, put('a', 'x'.repeat(20_000)))
    expect(await watchTo(store, 'a', 100, 101)).toHaveLength(1)
    await rejects(watchSome(store, 'a', 99, 1), 'COMPACTED')
    await store.close()
    const again = await open(path, { keepBytes: 22_000 })
    for (let index = 0; index < 3; index++) await commit(again, put('a', 'x'.repeat(1000)))
    expect(await watchTo(again, 'a', 101, 104)).toHaveLength(3)
    await rejects(watchSome(again, 'a', 100, 1), 'COMPACTED')
    await again.close()
  })

  it('shrinks step by step when a restart asks for less', async () => {
    const path = newPath()
    const store = await open(path)
    await Promise.all(Array.from({ length: 3500 }, (_, index) => commit(store, put('a', String(index)))))
    await store.close()
    const smaller = await open(path, { keepRevisions: 100 })
    const heldFrom: number[] = []
    for (let index = 0; index < 5; index++) {
      const last = await commit(smaller, put('a', ''))
      heldFrom.push(await oldestHeld(smaller, last))
    }
    expect(heldFrom).toEqual([1000, 2000, 3000, 3404, 3405])
    await smaller.close()
  })

  it('keeps the file from growing while the same keys change', async () => {
    const path = newPath()
    const sizes: number[] = []
    for (let round = 0; round < 4; round++) {
      const store = await open(path, { keepRevisions: 100 })
      for (let group = 0; group < 10; group++) await commitMany(store, 100)
      await store.close()
      sizes.push(statSync(path).size)
    }
    expect(sizes[3]).toBe(sizes[1])
  })
})

async function commitMany(store: Store, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, at) => commit(store, put(`k${at % 9}`, 'x'.repeat(900)))))
}

function change(path: string, sql: string): void {
  const database = new DatabaseSync(path)
  database.exec(sql)
  database.close()
}

/** The smallest revision that a watch may start after. */
async function oldestHeld(store: Store, last: number): Promise<number> {
  let [low, high] = [0, last]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const held = await watchSome(store, 'a', middle, 1).then(
      () => true,
      () => false,
    )
    if (held) high = middle
    else low = middle + 1
  }
  return low
}
