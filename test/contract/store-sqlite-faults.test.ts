import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Batch } from '../../src/core/store.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { openSqliteStore } from '../../src/store/sqlite/sqlite-store.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { needs } from '../helpers/needs.ts'
import { tinyDisk } from '../helpers/tiny-disk.ts'
import type { CommitOutcome } from './store/commit-loop.ts'
import { commit, del, put, rejects, ROOT, watchTo } from './store/under-test.ts'

const LOOP = join(import.meta.dirname, 'store/commit-loop.ts')
const CYCLES = process.env['FLOTILLA_SOAK'] === '1' ? 500 : 6

describe('a store in SQLite whose process is killed', () => {
  it(
    `lost nothing it had acknowledged, whole and without gaps, ${CYCLES} times over`,
    async () => {
      const path = join(temporaryFolder(), 'store.db')
      const acknowledged: CommitOutcome[] = []
      for (let cycle = 0; cycle < CYCLES; cycle++) {
        acknowledged.push(...(await killedWhileCommitting(path)))
        await assertHolds(path, acknowledged)
      }
      expect(acknowledged.length).toBeGreaterThan(CYCLES)
    },
    60_000 + CYCLES * 5000,
  )
})

/** Kills a process with 16 writers at a random moment, and answers what it had been told by then. */
async function killedWhileCommitting(path: string): Promise<readonly CommitOutcome[]> {
  const child = spawn(process.execPath, [LOOP, path, '16', '1000000'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const printed = gather(child)
  await once(child.stdout, 'data')
  await delay(Math.random() * 150)
  child.kill('SIGKILL')
  return await printed
}

async function gather(child: ChildProcess): Promise<readonly CommitOutcome[]> {
  let text = ''
  child.stdout?.on('data', (chunk) => (text += String(chunk)))
  await once(child, 'close')
  // The last line may be torn.
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as CommitOutcome)
}

/** Every acknowledged commit is in the history at its revision, the entries are what the history makes of them. */
async function assertHolds(path: string, acknowledged: readonly CommitOutcome[]): Promise<void> {
  const store = await openSqliteStore({ path, clock: systemClock, keepRevisions: 1_000_000 })
  const { entries, revision } = await store.list(ROOT)
  const batches = await watchTo(store, ROOT, 0, revision)
  await store.close()
  expect(batches.map((batch) => batch.revision)).toEqual(Array.from({ length: revision }, (_, index) => index + 1))
  for (const { writer, count, revision: acked, error } of acknowledged) {
    expect(error).toBeUndefined()
    expect(valuesOf(batches[(acked ?? 0) - 1])).toEqual({ [`t/${writer}`]: String(count), 't/last': String(writer) })
  }
  const final = Object.fromEntries(batches.flatMap((batch) => Object.entries(valuesOf(batch)))) as Record<
    string,
    string
  >
  expect(Object.fromEntries(entries.map(({ key, value }) => [key, value]))).toEqual(final)
  const database = new DatabaseSync(path)
  expect(database.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
  database.close()
}

function valuesOf(batch: Batch | undefined): Record<string, string> {
  const puts = (batch?.changes ?? []).flatMap((change) => (change.op === 'put' ? [change.entry] : []))
  return Object.fromEntries(puts.map(({ key, value }) => [key, value]))
}

const traced = await needs({ tools: ['strace'] })

describe('a store in SQLite on a disk that fails', () => {
  traced('answers a commit only after the log was synced', () => {
    const folder = temporaryFolder()
    const trace = join(folder, 'trace')
    const outcomes = underStrace(
      ['-y', '-s', '200', '-e', 'trace=pwrite64,write,fsync,fdatasync', '-o', trace],
      folder,
      1,
      20,
    )
    expect(outcomes).toHaveLength(20)
    let unsynced = 0
    let answered = 0
    for (const line of readFileSync(trace, 'utf8').split('\n')) {
      if (/pwrite64\(\d+<[^>]*-wal>/.test(line)) unsynced++
      if (/f(data)?sync\(\d+<[^>]*-wal>/.test(line)) unsynced = 0
      if (/write\(1<.*"revision/.test(line.replaceAll('\\"', '"'))) {
        expect(unsynced).toBe(0)
        answered++
      }
    }
    expect(answered).toBe(20)
  })

  traced('syncs once for all that is asked in one turn', () => {
    const folder = temporaryFolder()
    const trace = join(folder, 'trace')
    const outcomes = underStrace(['-y', '-e', 'trace=fsync,fdatasync', '-o', trace], folder, 64, 50)
    expect(outcomes.filter(({ revision }) => revision !== undefined)).toHaveLength(64 * 50)
    const syncs = readFileSync(trace, 'utf8')
      .split('\n')
      .filter((line) => /sync\(\d+<[^>]*-wal>/.test(line)).length
    expect(syncs).toBeGreaterThanOrEqual(50)
    expect(syncs).toBeLessThan(100)
  })

  traced('stops for good when a sync fails, having acknowledged nothing that is lost', async () => {
    const folder = temporaryFolder()
    const nth = callsBeforeAnswer(10, 'fsync') + 1
    const inject = `inject=fsync:error=EIO:when=${nth}`
    const outcomes = underStrace(['-e', 'trace=fsync', '-e', inject, '-o', '/dev/null'], folder, 1, 30)
    expect(outcomes.map(({ error }) => error)).toEqual([
      ...Array.from({ length: 10 }, () => undefined),
      'INTERNAL',
      ...Array.from({ length: 19 }, () => 'NOT_READY'),
    ])
    await assertHolds(join(folder, 'store.db'), outcomes.slice(0, 10))
  })

  for (const error of ['ENOSPC', 'EIO', 'EDQUOT']) {
    traced(`goes on after a write that failed with ${error}`, async () => {
      const folder = temporaryFolder()
      const nth = callsBeforeAnswer(10, 'pwrite64') + 1
      const inject = `inject=pwrite64:error=${error}:when=${nth}..${nth + 2}`
      const outcomes = underStrace(['-e', 'trace=pwrite64', '-e', inject, '-o', '/dev/null'], folder, 1, 40)
      const failed = outcomes.filter(({ error }) => error !== undefined)
      expect(new Set(failed.map(({ error }) => error))).toEqual(new Set(['DISK_FULL']))
      expect(outcomes[10]?.error).toBe('DISK_FULL')
      expect(outcomes.at(-1)?.revision).toBe(40 - failed.length)
      await assertHolds(
        join(folder, 'store.db'),
        outcomes.filter(({ error }) => error === undefined),
      )
    })
  }
})

/** How often a lone writer calls `syscall` before it is told of its `count`th commit. */
function callsBeforeAnswer(count: number, syscall: string): number {
  const folder = temporaryFolder()
  const trace = join(folder, 'trace')
  underStrace(['-s', '200', '-e', `trace=write,${syscall}`, '-o', trace], folder, 1, count)
  const lines = readFileSync(trace, 'utf8').split('\n')
  const answers = lines.flatMap((line, index) => (/ write\(1, .*revision/.test(line) ? [index] : []))
  expect(answers).toHaveLength(count)
  return lines.slice(0, answers.at(-1)).filter((line) => line.includes(` ${syscall}(`)).length
}

/** What the writers were told, in a process whose system calls strace watches or spoils. */
function underStrace(
  strace: readonly string[],
  folder: string,
  writers: number,
  times: number,
): readonly CommitOutcome[] {
  const program = [process.execPath, LOOP, join(folder, 'store.db'), String(writers), String(times)]
  const printed = execFileSync('strace', ['-f', '--seccomp-bpf', ...strace, ...program], { encoding: 'utf8' })
  return printed
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as CommitOutcome)
}

const asRoot = await needs({ root: true })

describe('a store in SQLite on a full disk', () => {
  asRoot('refuses with DISK_FULL, reads as before, and goes on when there is room again', async () => {
    const disk = tinyDisk(2048)
    const ballast = join(disk, 'ballast')
    writeFileSync(ballast, Buffer.alloc(1024 * 1024))
    const path = join(disk, 'store.db')
    const store = await openSqliteStore({ path, clock: systemClock })
    let last = 0
    const fill = async (): Promise<void> => {
      for (let at = 0; at < 100; at++) last = await commit(store, put(`t/${at}`, String(at).repeat(20_000)))
    }
    await rejects(fill(), 'DISK_FULL')
    const before = await store.list(ROOT)
    expect(before.revision).toBe(last)
    await rejects(commit(store, put('t/more', 'x'.repeat(100_000))), 'DISK_FULL')
    expect(await store.list(ROOT)).toEqual(before)
    rmSync(ballast)
    expect(await commit(store, put('t/more', 'x'.repeat(100_000)))).toBe(last + 1)
    await store.close()
    const again = await openSqliteStore({ path, clock: systemClock })
    expect((await again.list(ROOT)).entries).toHaveLength(before.entries.length + 1)
    await again.close()
  })

  it('does the same at the largest size the file may have, where deleting makes room', async () => {
    const path = join(temporaryFolder(), 'store.db')
    const store = await openSqliteStore({ path, clock: systemClock, maxBytes: 1024 * 1024, keepRevisions: 1 })
    let last = 0
    const fill = async (): Promise<void> => {
      for (let at = 0; at < 1000; at++) last = await commit(store, put(`t/${at}`, String(at).repeat(5000)))
    }
    await rejects(fill(), 'DISK_FULL')
    const { entries } = await store.list(ROOT)
    expect(entries.at(-1)?.revision).toBeLessThanOrEqual(last)
    for (const { key } of entries.slice(0, 10)) await commit(store, del(key))
    expect(await commit(store, put('t/after', 'x'.repeat(10_000)))).toBe(last + 11)
    await store.close()
  })
})
