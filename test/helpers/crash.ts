import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** System calls whose effect outlives the process: between any two of them a crash leaves a different disk. */
const LASTING = [
  'write',
  'pwrite64',
  'writev',
  'fsync',
  'fdatasync',
  'rename',
  'unlink',
  'mkdir',
  'rmdir',
  'ftruncate',
  'link',
  'symlink',
]

/** The process is killed, as by `kill -9`, when it makes this system call for the nth time. */
export interface CrashPoint {
  readonly syscall: string
  readonly nth: number
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Counts the lasting system calls of one undisturbed run: every one of them is a point to crash at. */
export async function crashPoints(script: string, args: readonly string[]): Promise<readonly CrashPoint[]> {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-strace-'))
  const log = join(folder, 'trace')
  const ended = await traced(script, args, ['-o', log, '-e', `trace=${LASTING.join(',')}`])
  if (ended.code !== 0) throw new Error(`the undisturbed run failed with code ${ended.code}: ${ended.stderr}`)
  const counts = new Map<string, number>()
  // Every thread counts for itself; a point beyond the count of the busiest thread is never reached.
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    const call = /^(\d+) +(\w+)\(/.exec(line)
    if (call === null) continue
    const key = `${call[1]} ${call[2]}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  rmSync(folder, { recursive: true })
  const most = new Map<string, number>()
  for (const [key, count] of counts) {
    const syscall = key.split(' ')[1] ?? ''
    most.set(syscall, Math.max(count, most.get(syscall) ?? 0))
  }
  return [...most].flatMap(([syscall, count]) =>
    Array.from({ length: count }, (_, index) => ({ syscall, nth: index + 1 })),
  )
}

/** Runs a program of this repository and kills it at `point`. It may end before: then `signal` is null. */
export async function runUntil(point: CrashPoint, script: string, args: readonly string[]): Promise<Ended> {
  const inject = `inject=${point.syscall}:signal=SIGKILL:when=${point.nth}`
  return await traced(script, args, ['-o', '/dev/null', '-e', `trace=${point.syscall}`, '-e', inject])
}

async function traced(script: string, args: readonly string[], strace: readonly string[]): Promise<Ended> {
  const command = ['-f', ...strace, process.execPath, script, ...args]
  // One worker thread makes the order, and so the count, of calls the same in every run.
  const child = spawn('strace', command, {
    env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  return { code: child.exitCode, signal: child.signalCode, stdout, stderr }
}

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  let all = ''
  for await (const chunk of stream) all += String(chunk)
  return all
}

/**
 * Each point takes a process of its own, so a quick run takes at most `perCall` of each system call, spread over the run
 * and others next time; with FLOTILLA_SOAK=1 all.
 */
export function someOf(points: readonly CrashPoint[], perCall: number): readonly CrashPoint[] {
  if (process.env['FLOTILLA_SOAK'] === '1') return points
  return [...Map.groupBy(points, ({ syscall }) => syscall).values()].flatMap((same) => {
    const stride = Math.ceil(same.length / perCall)
    const first = Math.floor(Math.random() * stride)
    return same.filter((_, index) => index % stride === first)
  })
}
