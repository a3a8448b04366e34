import { copyFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { commit, put } from '../../../test/contract/store/under-test.ts'
import { temporaryFolder } from '../../../test/helpers/folder.ts'
import { systemClock } from '../../lib/system-clock.ts'
import { LogRoom } from './log-room.ts'
import { openSqliteStore } from './sqlite-store.ts'

const sizeOf = (path: string): number => statSync(path).size

it('the log of a busy store has room ahead, which is nothing to whoever finds it after a crash', async () => {
  const folder = temporaryFolder()
  const [path, left] = [join(folder, 'store.db'), join(folder, 'left.db')]
  const store = await openSqliteStore({ path, clock: systemClock })
  const sizes = new Set<number>()
  for (let turn = 0; turn < 50; turn++) {
    await Promise.all([0, 1, 2].map(async (key) => commit(store, put(`k/${key}`, `${turn}`.repeat(4000)))))
    sizes.add(sizeOf(`${path}-wal`))
  }
  // Far fewer lengths than commits.
  expect(sizes.size).toBeLessThan(20)
  expect(sizeOf(`${path}-wal`)).toBeGreaterThan(1024 * 1024)
  for (const suffix of ['', '-wal']) copyFileSync(path + suffix, left + suffix)
  await store.close()
  const found = await openSqliteStore({ path: left, clock: systemClock })
  const { revision, entries } = await found.list('k/')
  expect([revision, ...entries.map(({ value }) => value)]).toEqual([150, ...[0, 1, 2].map(() => '49'.repeat(4000))])
  expect(await commit(found, put('k/0', 'on'))).toBe(151)
  await found.close()
})

it('room is made a step at a time, only where the log has grown, and no further than to where it starts over', () => {
  const path = join(temporaryFolder(), 'log')
  const KIB = 1024
  const grown = (bytes: number, room: LogRoom): number => {
    if (bytes > 0) writeFileSync(path, new Uint8Array(bytes), { flag: 'a' })
    room.widen()
    return sizeOf(path) / KIB
  }
  writeFileSync(path, '')
  const room = new LogRoom(path, 3000 * KIB)
  expect(grown(100 * KIB, room)).toBe(100)
  expect(grown(200 * KIB, room)).toBe(300 + 1024)
  expect(grown(0, room)).toBe(1324)
  expect(grown(4 * KIB, room)).toBe(1328 + 1024)
  expect(grown(4 * KIB, room)).toBe(3000)
  expect(grown(4 * KIB, room)).toBe(3004)
  room.close()
})
