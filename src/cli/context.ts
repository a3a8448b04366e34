import type { Clock } from '../core/clock.ts'
import type { Output } from './output.ts'

/** What a command sees of the world, so that tests can run it in process. */
export interface Context {
  readonly output: Output
  readonly env: Readonly<Record<string, string | undefined>>
  /** The folder relative paths start from. */
  readonly cwd: string
  readonly clock: Clock
  /** Aborted by Ctrl-C and by the service manager. */
  readonly signal: AbortSignal
  /** All of standard input, at most 1 MiB. */
  readonly readInput: () => Promise<string>
}
