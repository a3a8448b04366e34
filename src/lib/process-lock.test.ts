import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { needs } from '../../test/helpers/needs.ts'
import { tinyDisk } from '../../test/helpers/tiny-disk.ts'
import { holdLock } from './process-lock.ts'

const rooted = await needs({ root: true })
const flocked = await needs({ tools: ['flock'] })

const lockPath = (): string => join(temporaryFolder(), 'lock')

/** A process that tries as often as it is told to, all at once, and says how often it got the lock. */
const TRY = `
const { holdLock } = await import(process.argv[1])
const kept = []
process.stdin.on('data', async (times) => {
  const tries = Array.from({ length: Number(times) }, () => holdLock(process.argv[2], 'it'))
  const got = (await Promise.allSettled(tries)).filter(({ status }) => status === 'fulfilled')
  kept.push(...got)
  console.log(got.length)
})
console.log('ready')
`

interface Other {
  readonly pid: number
  readonly tries: (times: number) => Promise<number>
  readonly kill: () => Promise<void>
}

async function otherProcess(path: string, env: NodeJS.ProcessEnv = {}): Promise<Other> {
  const module = join(import.meta.dirname, 'process-lock.ts')
  const argv = ['--input-type=module', '-e', TRY, module, path]
  const child = spawn(process.execPath, argv, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const line = async (): Promise<string> => String((await once(child.stdout, 'data'))[0]).trim()
  expect(await line()).toBe('ready')
  return {
    pid: child.pid ?? 0,
    tries: async (times) => {
      child.stdin.write(String(times))
      return Number(await line())
    },
    kill: async () => {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

test('what one process holds another one does not get, until it is given back', async () => {
  const path = lockPath()
  const release = await holdLock(path, 'the folder')
  await expect(holdLock(path, 'the folder')).rejects.toMatchObject({
    code: 'LOST_RACE',
    message: `another process, ${process.pid}, uses the folder`,
    details: { hint: `Stop it first: kill ${process.pid}` },
  })
  for (const each of [path, `${path}.pid`]) expect(statSync(each).mode & 0o777).toBe(0o600)
  await release()
  expect(existsSync(`${path}.pid`)).toBe(false)
  await (
    await holdLock(path, 'the folder')
  )()
})

test('a process that was killed holds nothing, and nobody is told to kill it', async () => {
  const path = lockPath()
  const killed = await otherProcess(path)
  expect(await killed.tries(1)).toBe(1)
  await expect(holdLock(path, 'it')).rejects.toMatchObject({ message: `another process, ${killed.pid}, uses it` })
  await killed.kill()
  const release = await holdLock(path, 'it')
  writeFileSync(`${path}.pid`, `${killed.pid}\n`)
  await expect(holdLock(path, 'it')).rejects.toMatchObject({
    message: 'another process uses it',
    details: { hint: 'Stop it first.' },
  })
  await release()
})

test('what the file holds makes nobody its holder', async () => {
  const path = lockPath()
  for (const text of ['', '\n', 'x', `${process.pid}\n`, `${process.pid} 12345\n`, '-1', 'SQLite format 3\0']) {
    for (const each of ['', '.pid']) writeFileSync(`${path}${each}`, text)
    await (
      await holdLock(path, 'it')
    )()
  }
})

describe.for([
  ['flock(2)', {}, flocked],
  ['SQLite', { PATH: '/nowhere' }, test],
] as const)('by %s', ([, env, test_]) => {
  test_('of many that start at once, or find a dead process’ lock, one gets it', { timeout: 60_000 }, async () => {
    const path = lockPath()
    const processes = await Promise.all(Array.from({ length: 4 }, async () => await otherProcess(path, env)))
    for (let round = 0; round < 15; round++) {
      const got = await Promise.all(processes.map(async ({ tries }) => await tries(5)))
      expect(
        got.toSorted((a, b) => a - b),
        `round ${round}`,
      ).toEqual([0, 0, 0, 1])
      const winner = got.indexOf(1)
      await processes[winner]?.kill()
      processes[winner] = await otherProcess(path, env)
    }
  })
})

flocked('it works from a folder that is gone', async () => {
  const path = lockPath()
  const gone = join(temporaryFolder(), 'gone')
  mkdirSync(gone)
  const script = `process.chdir(process.argv[1]); (await import('node:fs')).rmdirSync(process.argv[1])
    const { holdLock } = await import(process.argv[2]); await holdLock(process.argv[3], 'it')`
  const argv = ['--input-type=module', '-e', script, gone, join(import.meta.dirname, 'process-lock.ts'), path]
  const [code] = await once(spawn(process.execPath, argv, { stdio: 'inherit' }), 'exit')
  expect(code).toBe(0)
  expect(existsSync(`${path}.sqlite`)).toBe(false)
})

test('a folder that is missing is named', async () => {
  const path = join(temporaryFolder(), 'missing', 'lock')
  await expect(holdLock(path, 'the folder')).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(/^cannot lock the folder: ENOENT: .*missing\/lock'$/) as string,
  })
})

rooted('a full disk is named, and so is one that cannot be written to', async () => {
  const disk = tinyDisk(64)
  const remount = (option: string): unknown => execFileSync('mount', ['-o', `remount,${option}`, disk])
  expect(() => writeFileSync(join(disk, 'large'), Buffer.alloc(128 * 1024))).toThrow('ENOSPC')
  const path = join(disk, 'lock')
  // The lock itself takes no room; who holds it is not said then.
  const release = await holdLock(path, 'it')
  await expect(holdLock(path, 'it')).rejects.toMatchObject({ code: 'LOST_RACE', message: 'another process uses it' })
  await release()
  // As many files as there are: the folder, the large one and the lock.
  remount('nr_inodes=3')
  await expect(holdLock(join(disk, 'other'), 'it')).rejects.toMatchObject({ code: 'DISK_FULL' })
  remount('ro')
  await expect(holdLock(path, 'it')).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('cannot lock it: EROFS') as string,
  })
})
