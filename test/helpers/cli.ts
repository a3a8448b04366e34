import type { Context } from '../../src/cli/context.ts'
import { main } from '../../src/cli/main.ts'
import { Output, type Sink } from '../../src/cli/output.ts'
import type { Clock } from '../../src/core/clock.ts'
import { systemClock } from '../../src/lib/system-clock.ts'

export interface CliResult {
  readonly code: number
  readonly out: string
  readonly err: string
}

interface CliOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly input?: string
  /** Width of the terminal; a pipe when absent. */
  readonly columns?: number
  readonly clock?: Clock
  readonly signal?: AbortSignal
}

/** Runs a command line in this process and answers what it said. */
export async function runCli(argv: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const out = new MemorySink(options.columns)
  const err = new MemorySink(options.columns)
  const env = options.env ?? {}
  const context: Context = {
    output: new Output(out, err, env),
    env,
    cwd: options.cwd ?? '/nonexistent',
    clock: options.clock ?? systemClock,
    signal: options.signal ?? new AbortController().signal,
    readInput: () => Promise.resolve(options.input ?? ''),
  }
  const code = await main(argv, context)
  return { code, out: out.text, err: err.text }
}

class MemorySink implements Sink {
  readonly columns: number | undefined
  text = ''

  constructor(columns: number | undefined) {
    this.columns = columns
  }

  write(text: string | Uint8Array): void {
    this.text += typeof text === 'string' ? text : Buffer.from(text).toString('utf8')
  }
}
