import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { runProgram } from './run-program.ts'

test('tells how a program ended and what it said on both outputs', async () => {
  const ran = await runProgram(['sh', '-c', 'echo out; echo err >&2; exit 3'], { timeMs: 10_000 })
  expect(ran.code).toBe(3)
  expect(ran.said.split('\n').toSorted()).toEqual(['err', 'out'])
})

test('passes arguments as they are, to no shell', async () => {
  const { said } = await runProgram(['printf', '%s', '$(id); "x" *'], { timeMs: 10_000 })
  expect(said).toBe('$(id); "x" *')
})

test('keeps the end of what a program says', async () => {
  const { said } = await runProgram(['sh', '-c', 'seq 1 100000'], { timeMs: 10_000 })
  expect(said.length).toBeLessThanOrEqual(4000)
  expect(said.endsWith('100000')).toBe(true)
})

test('one that is not there, and one that does not end, are told; nothing of it is left running', async () => {
  await expect(runProgram(['/no/such/program'], { timeMs: 1000 })).rejects.toMatchObject({ code: 'UNREACHABLE' })
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-run-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const pidFile = join(folder, 'pid')
  const command = ['sh', '-c', 'sleep 1000 & echo $! > "$0"; wait', pidFile]
  await expect(runProgram(command, { timeMs: 500 })).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: 'sh did not end within 0.5 s',
  })
  const pid = readFileSync(pidFile, 'utf8').trim()
  await vi.waitFor(() => expect(isRunning(pid)).toBe(false), { timeout: 5000 })
})

test('an aborted signal ends it, with its reason', async () => {
  const stop = new AbortController()
  const running = runProgram(['sleep', '1000'], { timeMs: 600_000, signal: stop.signal })
  stop.abort(new Error('enough'))
  await expect(running).rejects.toThrow('enough')
})

test('what a program leaves in the background holds nobody up', async () => {
  expect(await runProgram(['sh', '-c', 'sleep 5 & echo done'], { timeMs: 60_000 })).toMatchObject({
    code: 0,
    said: 'done',
  })
})

function isRunning(pid: string): boolean {
  return existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
}
