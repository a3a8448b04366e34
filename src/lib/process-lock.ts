import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { FlotillaError, messageOf } from '../core/errors.ts'

/**
 * Keeps other processes of this machine from using what `path` stands for, until the answer is called or this process
 * ends, however it ends: the lock is the kernel's. Rejects with `LOST_RACE` when another one holds it, `DISK_FULL` or
 * `CONFIG_INVALID` when the file cannot be opened; `what` is named to people. The folder must exist.
 *
 * It is flock(2) on the file, which Node.js can only reach by the program of that name (util-linux, BusyBox). Weighed
 * against it: SQLite's lock keeps 2 MiB more of an idle agent resident, and an abstract socket has a name that any
 * user can take, and that other containers do not see. Where there is no such program, as on macOS, it is SQLite's.
 *
 * What the file holds does not matter, and it is never removed: who opened it before would then hold another one than
 * who opens it after. `PATH.pid` beside it says who holds it, to people.
 */
export async function holdLock(path: string, what: string): Promise<() => Promise<void>> {
  const letGo = await lock(path).catch((error: unknown) => {
    throw lockError(error, path, what)
  })
  if (letGo === undefined) throw await inUse(path, what)
  // With no room for it, or a crash, an older one stays or none: then nobody is named, which is no reason to give up.
  await writeFile(pidFile(path), `${process.pid}\n`, { mode: 0o600 }).catch(() => undefined)
  return async () => {
    await rm(pidFile(path), { force: true })
    letGo()
  }
}

type LetGo = () => void

/** Undefined when somebody else holds it. */
async function lock(path: string): Promise<LetGo | undefined> {
  const file = openSync(path, 'a', 0o600)
  try {
    if (await isLocked(file, path)) return () => closeSync(file)
  } catch (error) {
    closeSync(file)
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return await lockBySqlite(`${path}.sqlite`)
    throw error
  }
  closeSync(file)
  return undefined
}

/**
 * A lock of flock(2) belongs to the open file, which the program shares with this process: it stays when that one ends.
 * Rejects with ENOENT where there is no such program.
 */
async function isLocked(file: number, path: string): Promise<boolean> {
  // From a folder that was removed nothing can be started either, which is ENOENT as well.
  const child = spawn('flock', ['-n', '3'], { stdio: ['ignore', 'ignore', 'ignore', file], cwd: '/' })
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  if (code === 0 || code === 1) return code === 0
  throw new Error(`flock ended with ${code ?? signal} on ${path}`)
}

const SQLITE_BUSY = 5

async function lockBySqlite(path: string): Promise<LetGo | undefined> {
  // Not opened twice: closing one descriptor of a file would let go of the lock on the other, as POSIX wants it.
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const { DatabaseSync } = await import('node:sqlite')
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    return () => database.close()
  } catch (error) {
    database.close()
    if ((error as { errcode?: unknown }).errcode === SQLITE_BUSY) return undefined
    throw error
  }
}

const pidFile = (path: string): string => `${path}.pid`

async function inUse(path: string, what: string): Promise<FlotillaError> {
  const text = await readFile(pidFile(path), 'utf8').catch(() => '')
  const pid = /^[1-9]\d{0,9}\n$/.test(text) && isRunning(Number(text)) ? Number(text) : undefined
  return new FlotillaError('LOST_RACE', `another process${pid === undefined ? '' : `, ${pid},`} uses ${what}`, {
    file: path,
    hint: pid === undefined ? 'Stop it first.' : `Stop it first: kill ${pid}`,
  })
}

/** One of before a crash, or of another container, need not be. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function lockError(error: unknown, path: string, what: string): FlotillaError {
  const { code } = error as NodeJS.ErrnoException
  const full = code === 'ENOSPC' || code === 'EDQUOT'
  return new FlotillaError(full ? 'DISK_FULL' : 'CONFIG_INVALID', `cannot lock ${what}: ${messageOf(error)}`, {
    file: path,
    hint: full ? 'Free some space, then start it again.' : 'The folder and its files must be writable for this user.',
    cause: error,
  })
}
