import { closeSync, copyFileSync, openSync, readdirSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished } from 'vitest'
import { crashPoints, runUntil, someOf } from '../../test/helpers/crash.ts'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { needs } from '../../test/helpers/needs.ts'
import { tinyDisk } from '../../test/helpers/tiny-disk.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { type Logger, silent } from '../core/log.ts'
import type { OpenLedger } from '../core/push/ledger.ts'
import { compareVersions, type Operation, type Version } from '../core/push/operation.ts'
import { hasLedger } from './ledger-file.ts'
import { openLedger } from './ledger.ts'

const test = await needs({})
const traced = await needs({ tools: ['strace'] })
const onDisk = await needs({ root: true })
const RECORDING = join(import.meta.dirname, '../../test/helpers/recording.ts')

const put = (key: string, version: Version): Operation => ({ key, version, size: 1, modifiedMs: 1, etag: 'e' })

async function opened(path: string, log: Logger = silent, clock = new VirtualClock()): Promise<OpenLedger> {
  const ledger = await openLedger({ path, clock, log })
  onTestFinished(async () => ledger.close())
  return ledger
}

/** One with many rows, closed. */
async function filled(path: string): Promise<{ readonly id: string; readonly newest: Version }> {
  const ledger = await opened(path)
  await Promise.all(Array.from({ length: 3000 }, async (_, n) => ledger.record(put(`key-${n}`, ledger.next()))))
  await ledger.close()
  return { id: ledger.id, newest: ledger.newest! }
}

function overwrite(path: string, from: number, bytes: number): void {
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.alloc(bytes, 0xa5), 0, bytes, from)
  closeSync(file)
}

test('there is none before it is opened, and its folder is made, for its owner alone', async () => {
  const path = join(temporaryFolder(), 'state/tree/push.sqlite')
  expect(hasLedger(path)).toBe(false)
  await opened(path)
  expect(hasLedger(path)).toBe(true)
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

const HARMS: Readonly<Record<string, (path: string) => void>> = {
  'is no database': (path) => writeFileSync(path, 'x'.repeat(10_000)),
  'has lost its beginning': (path) => overwrite(path, 0, 4096),
  'is of another program': (path) => {
    writeFileSync(path, '')
    const other = new DatabaseSync(path)
    other.exec('CREATE TABLE t (a); PRAGMA application_id = 7')
    other.close()
  },
  'has a later format': (path) => {
    const later = new DatabaseSync(path)
    later.exec('PRAGMA user_version = 99')
    later.close()
  },
  'has lost its state': (path) => {
    const other = new DatabaseSync(path)
    other.exec('DELETE FROM state')
    other.close()
  },
}

for (const [what, harm] of Object.entries(HARMS)) {
  test(`one that ${what} is set aside, and a new one begins whose versions are newer`, async () => {
    const folder = temporaryFolder()
    const path = join(folder, 'push.sqlite')
    const before = await filled(path)
    harm(path)
    const lines: unknown[] = []
    const clock = new VirtualClock()
    await clock.advance(60_000)
    const ledger = await opened(path, { ...silent, error: (...line) => void lines.push(line) }, clock)
    expect(lines).toMatchObject([[expect.stringContaining('cannot be used'), { file: path }]])
    expect(readdirSync(folder).filter((name) => name.includes('.aside-')).length).toBeGreaterThan(0)
    expect(ledger.id).not.toBe(before.id)
    expect(ledger.after(0, 10)).toEqual([])
    expect(compareVersions(ledger.next(), before.newest)).toBeGreaterThan(0)
  })
}

test('though the clock was put back, versions of a new one are newer than those of one that can be read', async () => {
  const path = join(temporaryFolder(), 'push.sqlite')
  const { newest } = await filled(path)
  HARMS['has a later format']?.(path)
  const ledger = await opened(path, silent, new VirtualClock(1000))
  expect(compareVersions(ledger.next(), newest)).toBeGreaterThan(0)
})

test('damage that shows only when it is read is told, and the next one that opens it sets it aside', async () => {
  const path = join(temporaryFolder(), 'push.sqlite')
  const { id } = await filled(path)
  overwrite(path, 40_960, statSync(path).size - 40_960)
  const ledger = await opened(path)
  expect(ledger.id).toBe(id)
  expect(() => ledger.page({ prefix: '', after: '', limit: 5000 })).toThrow(/damaged/)
  await ledger.close()
  expect((await opened(path)).id).not.toBe(id)
})

test('a second one on the same file is refused while the first is open', async () => {
  const path = join(temporaryFolder(), 'push.sqlite')
  const ledger = await opened(path)
  await expect(openLedger({ path, clock: new VirtualClock(), log: silent })).rejects.toMatchObject({
    code: 'LOST_RACE',
  })
  expect(await ledger.record(put('a', ledger.next()))).toBe(true)
})

test('the log is moved into the file while rows come, stays short, and all of them are there afterwards', async () => {
  const path = join(temporaryFolder(), 'push.sqlite')
  const ledger = await opened(path)
  const rows = 12_000
  // In an order in which each row is on another page.
  const keys = Array.from({ length: rows }, (_, n) => `${(n * 7919) % 1_000_003}/${'k'.repeat(200)}`)
  let longest = 0
  for (let start = 0; start < rows; start += 200) {
    const some = keys.slice(start, start + 200).map(async (key) => ledger.record(put(key, ledger.next())))
    expect(await Promise.all(some)).not.toContain(false)
    longest = Math.max(longest, statSync(`${path}-wal`).size)
  }
  expect(statSync(path).size).toBeGreaterThan(2 * 1024 * 1024)
  expect(longest).toBeLessThan(24 * 1024 * 1024)
  await ledger.close()
  const again = await opened(path)
  expect(again.id).toBe(ledger.id)
  expect(keys.every((key) => again.get(key) !== undefined)).toBe(true)
})

onDisk('a full disk refuses what has no room, keeps what was recorded, and goes on when there is room', async () => {
  const disk = tinyDisk(2048)
  const path = join(disk, 'push.sqlite')
  const ledger = await opened(path)
  const acknowledged: string[] = []
  let refused: unknown
  for (let n = 0; refused === undefined && n < 1000; n++) {
    const keys = Array.from({ length: 64 }, (_, index) => `${'k'.repeat(500)}-${n}-${index}`)
    const results = await Promise.allSettled(keys.map(async (key) => ledger.record(put(key, ledger.next()))))
    for (const [index, result] of results.entries()) {
      if (result.status === 'fulfilled') acknowledged.push(keys[index]!)
      else refused = result.reason
    }
  }
  expect(refused).toMatchObject({ code: 'DISK_FULL' })
  expect(acknowledged.length).toBeGreaterThan(64)
  for (const key of acknowledged) expect(ledger.get(key)).toBeDefined()
  expect(ledger.after(ledger.position - 1, 2)).toHaveLength(1)
})

traced(
  'whoever is killed at any moment loses nothing that was acknowledged, and gives no version twice',
  { timeout: 3_600_000 },
  async () => {
    const points = await crashPoints(RECORDING, [join(temporaryFolder(), 'push.sqlite')])
    // 240 rows, one after the other, would take as many syncs.
    expect(points.filter(({ syscall }) => syscall === 'fdatasync').length).toBeLessThan(40)
    for (const point of someOf(points, 2)) {
      const path = join(temporaryFolder(), 'push.sqlite')
      const { stdout } = await runUntil(point, RECORDING, [path])
      const lines = stdout.split('\n').slice(0, -1)
      const copy = join(temporaryFolder(), 'push.sqlite')
      for (const suffix of ['', '-wal'])
        if (hasLedger(`${path}${suffix}`)) copyFileSync(`${path}${suffix}`, `${copy}${suffix}`)
      const lost: unknown[] = []
      const ledger = await opened(copy, { ...silent, error: (...line) => void lost.push(line) })
      // Before there is anything in it, half a file may be there.
      if (lines.length > 0) expect(lost).toEqual([])
      for (const line of lines) {
        const [what, epoch, sequence, key = ''] = line.split(' ')
        const version = { epoch: Number(epoch), sequence: Number(sequence) }
        if (what === 'given') expect(compareVersions(ledger.next(), version)).toBeGreaterThan(0)
        if (what !== 'recorded') continue
        expect(ledger.compare(key, version)).toBeLessThanOrEqual(0)
        const wasDeleted = lines.some((other) => other.startsWith('given ') && other.endsWith(` ${key} gone`))
        if (ledger.get(key) === undefined) expect(wasDeleted).toBe(true)
      }
      const rows = ledger.after(0, 1000)
      expect(rows.every(({ position }) => position <= ledger.position)).toBe(true)
      expect(ledger.child('http://child')?.cursor ?? 0).toBeLessThanOrEqual(ledger.position)
    }
  },
)
