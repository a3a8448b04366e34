import { renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryFolder, writeFiles } from '../../test/helpers/folder.ts'
import { type LogLine, recorder } from '../../test/helpers/hub.ts'
import { type Files, type LinesReleases, linesReleases } from '../../test/helpers/lines-releases.ts'
import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Rollout } from '../core/rollout.ts'
import { sha256 } from '../lib/hash.ts'
import { type FolderFollower, type FollowOptions, followFolder, type FollowStatus } from './follow.ts'

interface Following extends LinesReleases {
  readonly source: string
  readonly follower: FolderFollower
  readonly lines: readonly LogLine[]
  /** Lets time pass until the follower says so. */
  readonly until: (state: FollowStatus['state'], number?: number) => Promise<void>
  /** Lets so much time pass that it must have looked several times. */
  readonly pass: () => Promise<void>
  readonly stop: () => Promise<void>
  readonly restart: (options?: Partial<FollowOptions>) => Promise<Following>
}

function following(files: Files, options: Partial<FollowOptions> = {}): Following {
  const source = join(temporaryFolder(), 'datasets.d')
  writeFiles(source, files)
  return follow(linesReleases(), source, options)
}

function follow(setup: LinesReleases, source: string, options: Partial<FollowOptions>): Following {
  const { log, lines } = recorder()
  const follower = followFolder(
    { folder: source, tree: 't', kind: 'lines', intervalMs: 5000, ...options },
    { ...setup, log },
  )
  const controller = new AbortController()
  const running = follower.run(controller.signal)
  const stop = async (): Promise<void> => {
    controller.abort(new Error('stopped'))
    await running
  }
  onTestFinished(stop)
  /** Time stands still while files are read: give them some real time for each step of the virtual. */
  const step = async (): Promise<void> => {
    await setup.clock.advance(500)
    await delay(2)
  }
  return {
    ...setup,
    source,
    follower,
    lines,
    stop,
    until: async (state, number) => {
      const isThere = async (): Promise<boolean> =>
        follower.status().state === state &&
        (number === undefined || (await setup.releases.current('t'))?.number === number)
      for (let steps = 0; steps < 2000 && !(await isThere()); steps++) await step()
      const current = (await setup.releases.current('t'))?.number
      expect({ state: follower.status().state, number: current }).toEqual({ state, number: number ?? current })
    },
    pass: async () => {
      for (let steps = 0; steps < 60; steps++) await step()
    },
    restart: async (more = {}) => {
      await stop()
      return follow(setup, source, { ...options, ...more })
    },
  }
}

test('what stands in the folder is released, once it has settled, and only when it changed', async () => {
  const { source, until, pass, releases, follower } = following({ 'a.txt': 'x=1', 'b.txt': 'y=1' })
  await until('released', 1)
  expect(await releases.current('t')).toMatchObject({ author: 'folder', message: 'datasets.d: 2 files changed' })
  await pass()
  expect((await releases.current('t'))?.number).toBe(1)
  writeFiles(source, { 'a.txt': 'x=2' })
  await until('released', 2)
  expect(await releases.current('t')).toMatchObject({ message: 'datasets.d: a.txt changed' })
  expect(follower.status()).toMatchObject({ folder: source, tree: 't', error: undefined })
})

test('a folder that keeps changing is not released until it rests', async () => {
  const { source, until, clock, releases } = following({ 'a.txt': 'x=0' })
  await until('released', 1)
  for (let number = 1; number <= 20; number++) {
    writeFiles(source, { 'a.txt': `x=${number}` })
    await clock.advance(5000)
    await delay(10)
  }
  expect((await releases.current('t'))?.number).toBe(1)
  await until('released', 2)
  expect(await releases.files('t')).toMatchObject([{ sha256: sha256('x=20') }])
})

test('a refusal is told once, stays in the status, and ends when the folder is repaired', async () => {
  const { source, until, pass, lines, follower, releases } = following({ 'a.txt': 'x=1' })
  await until('released', 1)
  writeFiles(source, { 'a.txt': 'x=2\n!' })
  await until('refused')
  await pass()
  expect(follower.status().error).toMatchObject({ code: 'CHECK_FAILED', problems: [{ file: 'a.txt', line: 2 }] })
  expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
  expect((await releases.current('t'))?.number).toBe(1)
  writeFiles(source, { 'a.txt': 'x=2' })
  await until('released', 2)
})

test('a file that cannot be carried is a refusal, never a removal', async () => {
  const { source, until, follower, releases } = following({ 'a.txt': 'x=1', 'b.txt': 'y=1' })
  await until('released', 1)
  rmSync(join(source, 'b.txt'))
  symlinkSync('/etc/passwd', join(source, 'b.txt'))
  await until('refused')
  expect(follower.status().error).toMatchObject({ code: 'CHECK_FAILED', problems: [{ file: 'b.txt' }] })
  expect((await releases.current('t'))?.number).toBe(1)
})

test('a share that goes away, or is empty, changes nothing, and is followed again when it is back', async () => {
  const { source, until, pass, lines, releases, follower } = following({ 'a.txt': 'x=1', 'b.txt': 'y=1' })
  await until('released', 1)
  renameSync(source, `${source}.away`)
  await until('refused')
  expect(follower.status().error).toMatchObject({ code: 'SOURCE_VANISHED' })
  await pass()
  expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
  writeFiles(source, { '.keep': '' })
  await pass()
  expect(follower.status()).toMatchObject({ state: 'refused', error: { code: 'SOURCE_VANISHED' } })
  rmSync(source, { recursive: true })
  renameSync(`${source}.away`, source)
  await until('released', 1)
  writeFiles(source, { 'a.txt': 'x=2' })
  await until('released', 2)
  expect((await releases.items('t')).items).toHaveLength(2)
})

/** Lets time pass until the promise settles. */
async function during<T>({ clock }: LinesReleases, work: Promise<T>): Promise<T> {
  const over = new AbortController()
  const done = work.finally(() => over.abort())
  done.catch(() => undefined)
  while (!over.signal.aborted) {
    await clock.advance(500)
    await delay(2)
  }
  return done
}

test('somebody who asks need not wait for the interval, and is the author', async () => {
  const at = following({ 'a.txt': 'x=1' }, { intervalMs: 3_600_000 })
  await at.until('released', 1)
  writeFiles(at.source, { 'a.txt': 'x=2' })
  const answer = await during(at, at.follower.rescan({ message: 'now' }, 'anna'))
  expect(answer).toMatchObject({ changed: true, release: { number: 2, author: 'anna', message: 'now' } })
  expect(at.follower.status().state).toBe('released')
  const again = await during(at, at.follower.rescan({}, 'anna'))
  expect(again).toMatchObject({ changed: false, release: { number: 2 } })
  await at.pass()
  expect((await at.releases.current('t'))?.number).toBe(2)
})

test('somebody who asks gets what was taken back again, and the service lets that stand', async () => {
  const at = following({ 'a.txt': 'x=1' })
  await at.until('released', 1)
  writeFiles(at.source, { 'a.txt': 'x=2' })
  await at.until('released', 2)
  await at.releases.rollback('t', { to: 1 }, 'anna')
  await at.pass()
  expect((await at.releases.current('t'))?.number).toBe(3)
  expect(await during(at, at.follower.rescan({}, 'anna'))).toMatchObject({ changed: true, release: { number: 4 } })
  expect(await at.releases.files('t')).toMatchObject([{ sha256: sha256('x=2') }])
})

test('somebody who asks is told why it was refused, and may confirm what the guard holds', async () => {
  const files = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`f${index}.txt`, `i${index}=v`]))
  const at = following(files)
  await at.until('released', 1)
  for (let index = 1; index < 20; index++) rmSync(join(at.source, `f${index}.txt`))
  await expect(during(at, at.follower.rescan({}, 'anna'))).rejects.toMatchObject({ code: 'GUARD' })
  expect(at.follower.status()).toMatchObject({ state: 'refused', error: { code: 'GUARD' } })
  const answer = await during(at, at.follower.rescan({ confirmRemoval: true }, 'anna'))
  expect(answer).toMatchObject({ changed: true, release: { number: 2, changes: { removed: 19 } } })
})

test('several who ask at the same moment make one release', async () => {
  const at = following({ 'a.txt': 'x=1' }, { intervalMs: 1000 })
  const asked = [1, 2, 3].map((number) => at.follower.rescan({}, `a${number}`))
  const answers = await during(at, Promise.all(asked))
  expect(answers.filter(({ changed }) => changed)).toHaveLength(1)
  await at.pass()
  expect((await at.releases.current('t'))?.number).toBe(1)
})

test('a folder that never rests is said to be so', async () => {
  const at = following({ 'a.txt': 'x=0' }, { intervalMs: 3_600_000 })
  let count = 0
  const writing = setInterval(() => writeFiles(at.source, { 'a.txt': `x=${++count}` }), 1)
  onTestFinished(() => clearInterval(writing))
  await expect(during(at, at.follower.rescan({}, 'anna'))).rejects.toMatchObject({ code: 'SOURCE_VANISHED' })
})

test('the guard holds a folder that lost most of its files, until somebody confirms', async () => {
  const files = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`f${index}.txt`, `i${index}=v`]))
  const { source, until, release, releases, follower } = following(files)
  await until('released', 1)
  for (let index = 1; index < 20; index++) rmSync(join(source, `f${index}.txt`))
  await until('refused')
  expect(follower.status().error).toMatchObject({ code: 'GUARD' })
  await release({ 'f0.txt': 'i0=v' }, { confirmRemoval: true })
  await until('released', 2)
  expect((await releases.items('t')).items).toHaveLength(1)
})

test('a rollback stays, also over a restart, until the folder changes', async () => {
  const { source, until, pass, restart, releases } = following({ 'a.txt': 'x=1' })
  await until('released', 1)
  writeFiles(source, { 'a.txt': 'x=2' })
  await until('released', 2)
  await releases.rollback('t', { to: 1 }, 'anna')
  await pass()
  expect((await releases.current('t'))?.number).toBe(3)
  const again = await restart()
  await again.until('released', 3)
  await again.pass()
  expect((await releases.current('t'))?.number).toBe(3)
  writeFiles(source, { 'a.txt': 'x=3' })
  await again.until('released', 4)
})

test('what somebody released from the folder by hand and took back stays taken back after a restart', async () => {
  const { source, until, stop, release, restart, releases } = following({ 'a.txt': 'x=1' })
  await until('released', 1)
  await stop()
  writeFiles(source, { 'a.txt': 'x=2' })
  await release({ 'a.txt': 'x=2' })
  await releases.rollback('t', { to: 1 }, 'anna')
  const again = await restart()
  await again.until('released', 3)
  await again.pass()
  expect((await releases.current('t'))?.number).toBe(3)
})

test('what changed while nobody looked is released after a restart', async () => {
  const { source, until, stop, restart } = following({ 'a.txt': 'x=1' })
  await until('released', 1)
  await stop()
  writeFiles(source, { 'b.txt': 'y=1' })
  await (await restart()).until('released', 2)
})

test('with quarantine the rest is released, what was kept is told, and a restart does not repeat it', async () => {
  const { source, until, lines, restart } = following({ 'a.txt': 'x=1', 'b.txt': 'y=1' }, { quarantine: true })
  await until('released', 1)
  writeFiles(source, { 'a.txt': 'x=2\n!', 'b.txt': 'y=2' })
  await until('released', 2)
  expect(lines).toContainEqual(
    expect.objectContaining({ level: 'warn', fields: expect.objectContaining({ file: 'a.txt' }) }),
  )
  const again = await restart()
  await again.until('released', 2)
  expect(again.lines).toEqual([])
})

test('what failed for a passing reason is tried again at the next look', async () => {
  const { source, until, blobs } = following({ 'a.txt': 'x=1' })
  await until('released', 1)
  const put = blobs.put.bind(blobs)
  let failures = 2
  blobs.put = async (hash, content, options) => {
    if (failures-- > 0) throw new FlotillaError('DISK_FULL', 'no room')
    return put(hash, content, options)
  }
  writeFiles(source, { 'a.txt': 'x=2' })
  await until('refused')
  await until('released', 2)
})

test('what stands in the folder waits while a rollout is under way, and follows it; what was taken back does not come again', async () => {
  const { releases, store, source, until, pass, lines } = following({ 'a.txt': 'x=1' })
  await until('released', 1)
  await releases.rollouts.setPolicy('t', {}, 'anna')
  writeFiles(source, { 'a.txt': 'x=2' })
  await until('settling')
  await until('released', 1)
  writeFiles(source, { 'a.txt': 'x=3' })
  await until('settling')
  await until('waiting', 1)
  await pass()
  expect(lines.filter(({ level }) => level === 'warn')).toEqual([])
  const { value = '' } = (await store.get(keys.rollout('t'))) ?? {}
  const ended = { ...(JSON.parse(value) as Rollout), state: 'rolled-back' }
  expect(ended.release).toBe(2)
  await store.commit({ changes: [{ op: 'put', key: keys.rollout('t'), value: JSON.stringify(ended) }] })
  await until('released', 1)
  expect((await releases.rollouts.get('t'))?.rollout).toMatchObject({ release: 3, state: 'running' })
  const again = { ...ended, release: 3 }
  await store.commit({ changes: [{ op: 'put', key: keys.rollout('t'), value: JSON.stringify(again) }] })
  await pass()
  expect((await releases.history('t', 10)).releases.map(({ number }) => number)).toEqual([3, 2, 1])
})
