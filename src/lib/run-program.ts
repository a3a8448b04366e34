import { spawn } from 'node:child_process'
import { FlotillaError, messageOf } from '../core/errors.ts'
import type { Op } from '../core/op.ts'

export interface RunOptions extends Op {
  readonly timeMs: number
  readonly cwd?: string
}

export interface Ran {
  readonly code: number
  /** Both outputs, the end of them. */
  readonly said: string
}

const OUTPUT_CHARS = 4000

/**
 * Runs a program with its arguments, without a shell. Resolves with how it ended; rejects with `UNREACHABLE` where it cannot be
 * started or does not end in time. It and what it has started are ended then, and when the signal aborts.
 */
export async function runProgram(command: readonly string[], options: RunOptions): Promise<Ran> {
  const [program = '', ...args] = command
  options.signal?.throwIfAborted()
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: options.cwd ?? '/', detached: true })
  const said = { text: '' }
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (said.text = (said.text + text).slice(-OUTPUT_CHARS)))
  }
  const late = AbortSignal.timeout(options.timeMs)
  const cut = options.signal === undefined ? late : AbortSignal.any([options.signal, late])
  const end = (): void => endGroup(child.pid)
  cut.addEventListener('abort', end, { once: true })
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.on('error', reject)
      // What it has left running in the background may keep its outputs open; nobody waits for that.
      child.on('exit', (status) => setImmediate(() => resolve(status ?? -1)))
    })
    options.signal?.throwIfAborted()
    if (late.aborted) throw unreachable(program, `did not end within ${options.timeMs / 1000} s`)
    return { code, said: said.text.trim() }
  } catch (error) {
    options.signal?.throwIfAborted()
    if (error instanceof FlotillaError) throw error
    throw unreachable(program, `could not be run: ${messageOf(error)}`)
  } finally {
    cut.removeEventListener('abort', end)
    child.stdout.destroy()
    child.stderr.destroy()
  }
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

function unreachable(program: string, why: string): FlotillaError {
  return new FlotillaError('UNREACHABLE', `${program} ${why}`)
}
