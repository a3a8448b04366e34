import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { holdLock } from './process-lock.ts'

const lockPath = (): string => join(temporaryFolder(), 'agent.lock')

const HOLD = `
const { holdLock } = await import(process.argv[1])
await holdLock(process.argv[2], 'it')
console.log('held')
setInterval(() => undefined, 1000)
`

/** Another process that holds the lock, until it is killed as by kill -9. */
async function holder(path: string): Promise<{ readonly pid: number; readonly kill: () => Promise<void> }> {
  const module = join(import.meta.dirname, 'process-lock.ts')
  const child = spawn(process.execPath, ['--input-type=module', '-e', HOLD, module, path])
  onTestFinished(() => void child.kill('SIGKILL'))
  const [first] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
  if (typeof first === 'number') throw new Error('it did not get the lock')
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  return { pid: child.pid ?? 0, kill }
}

test('what one process holds another one does not get, until it is given back', async () => {
  const path = lockPath()
  const release = await holdLock(path, 'the folder')
  await expect(holdLock(path, 'the folder')).rejects.toMatchObject({
    code: 'LOST_RACE',
    message: `another process, ${process.pid}, uses the folder`,
    details: { hint: `Stop it first: kill ${process.pid}` },
  })
  expect(statSync(path).mode & 0o777).toBe(0o600)
  await release()
  expect(existsSync(path)).toBe(false)
  await (
    await holdLock(path, 'the folder')
  )()
})

test('a process that was killed holds nothing', async () => {
  const path = lockPath()
  const other = await holder(path)
  await expect(holdLock(path, 'it')).rejects.toMatchObject({ message: `another process, ${other.pid}, uses it` })
  await other.kill()
  await (
    await holdLock(path, 'it')
  )()
})

test('a process that got the number of a dead one does not count', async () => {
  const path = lockPath()
  // This very process, but started at another time.
  writeFileSync(path, `${process.pid} 1\n`)
  await (
    await holdLock(path, 'it')
  )()
})

test.for(['', '\n', 'x', '1', '-1 5\n', `${'9'.repeat(30)} 1\n`, '0 \n1 2\n'])(
  'a file that holds %j is nobody’s',
  async (text) => {
    const path = lockPath()
    writeFileSync(path, text)
    const release = await holdLock(path, 'it')
    expect(readFileSync(path, 'utf8')).toMatch(new RegExp(`^${process.pid} \\d*\n$`))
    await release()
  },
)

test('of many that start at once one gets it', async () => {
  const path = lockPath()
  const module = join(import.meta.dirname, 'process-lock.ts')
  const script = `const { holdLock } = await import(${JSON.stringify(module)})
    const all = await Promise.allSettled(Array.from({ length: 20 }, () => holdLock(${JSON.stringify(path)}, 'it')))
    console.log(all.filter(({ status }) => status === 'fulfilled').length)`
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  expect(out.trim()).toBe('1')
})

test('of many that find a dead process’ file at once, one gets it', async () => {
  for (let round = 0; round < 5; round++) {
    const path = lockPath()
    writeFileSync(path, `${process.pid} 1\n`)
    const holders = await Promise.allSettled(Array.from({ length: 4 }, async () => await holder(path)))
    const held = holders.filter(({ status }) => status === 'fulfilled')
    expect(held).toHaveLength(1)
  }
}, 60_000)
