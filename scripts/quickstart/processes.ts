import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** The programs of the quickstart: started with their output in a log file, stopped together, newest first. */
export class Processes {
  readonly #running: { name: string; child: ChildProcess }[] = []
  readonly #root: string
  readonly #logs: string

  constructor(root: string, logs: string) {
    this.#root = root
    this.#logs = logs
  }

  /** Starts `node script …args` and resolves with the first match of `ready` in a line of its output. */
  async start(name: string, script: string, args: readonly string[], ready: RegExp): Promise<string> {
    return await new Promise<string>((resolve, reject) => {
      const onLine = (line: string): void => {
        const match = ready.exec(line)
        if (match !== null) resolve(match[1] ?? match[0])
      }
      const child = this.launch(name, process.execPath, [join(this.#root, script), ...args], onLine)
      child.once('error', reject)
      child.once('exit', (code) =>
        reject(new Error(`${name} ended with code ${code} before it was ready; see its log`)),
      )
    })
  }

  /** Starts any program. */
  launch(
    name: string,
    program: string,
    args: readonly string[],
    onLine: (line: string) => void = () => undefined,
  ): ChildProcess {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#running.push({ name, child })
    const log = join(this.#logs, `${name}.log`)
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        append(log, line)
        onLine(line)
      })
    }
    return child
  }

  async stopAll(): Promise<void> {
    for (const { child } of this.#running.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      const force = setTimeout(() => child.kill('SIGKILL'), 5000)
      await ended
      clearTimeout(force)
    }
  }
}

/** Whoever clears the folder of the logs away does not want them back, and wants nothing else to end. */
function append(log: string, line: string): void {
  try {
    appendFileSync(log, `${line}\n`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

export interface CommandResult {
  readonly code: number
  readonly stdout: string
  /** Both outputs, as they came. */
  readonly said: string
}

/** Runs a command of the tool to its end. */
export async function run(
  root: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd: string,
): Promise<CommandResult> {
  const child = spawn(process.execPath, [join(root, 'src/bin.ts'), ...args], {
    env: { ...process.env, ...env },
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, said] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    said += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  await once(child, 'close')
  return { code: child.exitCode ?? 1, stdout, said }
}
