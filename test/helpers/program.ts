import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const ROOT = join(import.meta.dirname, '../..')

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
}

/** A program of this repository that runs beside the test. */
export interface Running {
  readonly child: ChildProcess
  /** Everything it said so far, on both outputs. */
  said(): string
  /** Resolves with the first line that matches, also one from before; rejects when the program ends without. */
  line(pattern: RegExp): Promise<RegExpExecArray>
  /** Sends the signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

const FLOTILLA = 'src/bin.ts'
export const STANDIN = 'standin/erddap/main.ts'

/** Starts the tool, or another script of the repository, as a process. */
export function start(argv: readonly string[], { cwd, env }: RunOptions, script = FLOTILLA): Running {
  const child = spawn(process.execPath, [join(ROOT, script), ...argv], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  const waiting = new Set<() => void>()
  const tell = (): void => {
    for (const look of waiting) look()
  }
  for (const stream of [child.stdout, child.stderr]) {
    createInterface(stream).on('line', (line) => {
      lines.push(line)
      tell()
    })
  }
  const ended = once(child, 'close').then(tell)
  return {
    child,
    said: () => lines.join('\n'),
    line: async (pattern) => {
      for (;;) {
        for (const line of lines) {
          const match = pattern.exec(line)
          if (match !== null) return match
        }
        if (child.exitCode !== null || child.signalCode !== null) {
          throw new Error(
            `${argv.join(' ')} ended with ${child.exitCode} and never said ${pattern}:\n${lines.join('\n')}`,
          )
        }
        await new Promise<void>((resolve) => {
          const look = (): void => {
            waiting.delete(look)
            resolve()
          }
          waiting.add(look)
        })
      }
    },
    stop: async (signal = 'SIGTERM') => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
      await ended
      return child.exitCode
    },
  }
}

/** Runs the tool to its end. */
export async function run(argv: readonly string[], options: RunOptions): Promise<Ran> {
  const child = spawn(process.execPath, [join(ROOT, FLOTILLA), ...argv], {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  await once(child, 'close')
  return { code: child.exitCode, stdout, stderr }
}
