import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { FlotillaError } from '../core/errors.ts'

const ATTEMPTS = 3

/**
 * Keeps other processes of this machine from using what `path` stands for, until the answer is called or this process ends,
 * however it ends: a file that a dead process left behind is taken over. Rejects with `LOST_RACE` when another one
 * holds it; `what` is named to people. The folder must exist.
 */
export async function holdLock(path: string, what: string): Promise<() => Promise<void>> {
  const own = `${process.pid} ${(await startOf(process.pid)) ?? ''}\n`
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      await writeFile(path, own, { flag: 'wx', mode: 0o600 })
      return async () => await rm(path, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const text = await readFile(path, 'utf8').catch(() => '')
    const holder = await holderOf(text)
    if (holder !== undefined) {
      throw new FlotillaError('LOST_RACE', `another process, ${holder}, uses ${what}`, {
        file: path,
        hint: `Stop it first: kill ${holder}`,
      })
    }
    await clear(path, text)
  }
  throw new FlotillaError('LOST_RACE', `other processes are starting to use ${what}`, { file: path })
}

/** Takes a dead process' file away. If somebody else did so before and has written a new one, that one is put back. */
async function clear(path: string, dead: string): Promise<void> {
  const aside = `${path}.${process.pid}`
  try {
    await rename(path, aside)
    if ((await readFile(aside, 'utf8')) !== dead) await link(aside, path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'EEXIST') throw error
  }
  await rm(aside, { force: true })
}

/** The process that wrote the text, if it still runs. */
async function holderOf(text: string): Promise<number | undefined> {
  const match = /^(\d{1,10}) (\d*)\n$/.exec(text)
  if (match === null) return undefined
  const pid = Number(match[1])
  const start = await startOf(pid)
  // A number that was given to another process since does not count; where nothing tells, one that runs does.
  if (start !== undefined) return String(start) === match[2] ? pid : undefined
  return match[2] === '' && isRunning(pid) ? pid : undefined
}

/** When a process started, in ticks since the machine did; undefined where there is none, or no /proc to ask. */
async function startOf(pid: number): Promise<number | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // The name before it, in parentheses, may hold anything: facts: proc(5), field 22.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields === undefined ? undefined : Number(fields[19])
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
