import { spawn } from 'node:child_process'
import { FlotillaError, messageOf } from '../../../core/errors.ts'

const OUTPUT_CHARS = 20_000
const TIME_MS = 60_000

export interface Ran {
  readonly code: number
  /** Both outputs, the end of them, without what is no more than a notice. */
  readonly said: string
}

/**
 * Runs a command of the local configuration, without a shell. Resolves with how it ended; rejects with `UNREACHABLE` where it
 * cannot be started or does not end.
 */
export async function run(command: readonly string[], more: readonly string[], signal?: AbortSignal): Promise<Ran> {
  const [program = '', ...first] = command
  const late = AbortSignal.timeout(TIME_MS)
  const child = spawn(program, [...first, ...more], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: '/',
    signal: signal === undefined ? late : AbortSignal.any([signal, late]),
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-OUTPUT_CHARS)))
  }
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? -1))
  })
  try {
    const code = await ended
    signal?.throwIfAborted()
    late.throwIfAborted()
    return { code, said: said.replaceAll(/^.*\[notice\].*\n/gm, '').trim() }
  } catch (error) {
    signal?.throwIfAborted()
    const why = late.aborted ? `did not end within ${TIME_MS / 1000} s` : `could not be run: ${messageOf(error)}`
    throw new FlotillaError('UNREACHABLE', `${program} ${why}`, {
      hint: 'Install it, or correct `nginx` or `reload` of the proxy in the configuration of this agent.',
      cause: error,
    })
  }
}
