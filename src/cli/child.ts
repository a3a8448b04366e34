import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { constants } from 'node:os'
import type { Clock } from '../core/clock.ts'
import { FlotillaError, messageOf } from '../core/errors.ts'
import { sleepQuietly } from '../lib/waiting.ts'

export interface ChildOptions {
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly clock: Clock
  /** How long it may take to end when it is asked to. */
  readonly graceMs: number
}

/** Passed on to the command as they come. */
const PASSED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const
const LOOK_MS = 20

/**
 * A command that may run only as long as something is held: in a process group of its own, with a guard beside it that ends
 * the group at the moment that was told last, whatever becomes of this process.
 */
export class Child {
  readonly #options: ChildOptions
  readonly #child: ChildProcess
  readonly #guard: ChildProcess | undefined
  readonly #ended: Promise<number>
  readonly #pass = (signal: NodeJS.Signals): void => void this.#signal(signal)

  private constructor(options: ChildOptions) {
    const { command, env, cwd, graceMs } = options
    const [program = '', ...args] = command
    this.#options = options
    // Before there is anything to say: whoever hears the command may send a signal at once.
    for (const signal of PASSED) process.on(signal, this.#pass)
    const child = spawn(program, args, { stdio: 'inherit', detached: true, cwd, env: { ...env } })
    this.#child = child
    this.#ended = new Promise((resolve) => {
      child.on('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
    })
    this.#guard = child.pid === undefined ? undefined : startGuard(child.pid, graceMs)
  }

  /** Rejects with `USAGE` where it cannot be started. */
  static async start(options: ChildOptions): Promise<Child> {
    const started = new Child(options)
    try {
      await once(started.#child, 'spawn')
    } catch (error) {
      await started.close()
      throw new FlotillaError('USAGE', `${options.command[0]} cannot be run: ${messageOf(error)}`)
    }
    return started
  }

  /** Its exit code, as a shell has it: 128 and the signal for one that was ended by a signal. */
  get ended(): Promise<number> {
    return this.#ended
  }

  /** By then, on the clock, nothing of it may be left. */
  mustEndBy(atMs: number): void {
    const leftMs = Math.max(0, atMs - this.#options.clock.monotonicMs())
    const atNs = process.hrtime.bigint() + BigInt(Math.round(leftMs * 1_000_000))
    this.#guard?.stdin?.write(`${atNs}\n`)
  }

  /** Ends all of its group: asks first, and waits until `atMs` at most. */
  async stop(atMs: number): Promise<void> {
    const { clock } = this.#options
    const stay = new AbortController().signal
    this.#signal('SIGTERM')
    // What is stopped would not hear it.
    this.#signal('SIGCONT')
    while (this.#signal(0) && clock.monotonicMs() < atMs) await sleepQuietly(clock, LOOK_MS, stay)
    this.#signal('SIGKILL')
  }

  /** When it has ended: ends what it has left running, and the guard. */
  async close(): Promise<void> {
    const { clock, graceMs } = this.#options
    for (const signal of PASSED) process.off(signal, this.#pass)
    if (this.#signal(0)) await this.stop(clock.monotonicMs() + graceMs)
    this.#guard?.stdin?.end('done\n')
  }

  /** False where nothing is left that could hear it. */
  #signal(signal: NodeJS.Signals | 0): boolean {
    const { pid } = this.#child
    if (pid === undefined) return false
    try {
      return process.kill(-pid, signal)
    } catch {
      return false
    }
  }
}

function startGuard(pgid: number, graceMs: number): ChildProcess {
  const file = new URL(import.meta.url.endsWith('.ts') ? './guard.ts' : './guard.js', import.meta.url)
  const args = [fileURLToPath(file), String(pgid), String(graceMs)]
  // In a session of its own: what a terminal or a shell sends to this group does not reach it.
  const guard = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true, cwd: '/' })
  guard.stdin.on('error', () => undefined)
  guard.on('error', () => undefined)
  guard.unref()
  return guard
}
