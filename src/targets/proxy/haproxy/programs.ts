import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { FlotillaError } from '../../../core/errors.ts'
import type { Op } from '../../../core/op.ts'
import { CONFIG_FILE } from './render.ts'

const WORDS_MAX = 2000
const LONGEST_MS = 60_000

/**
 * Lets HAProxy's own program judge the files, from a folder of their own. Rejects with `PROXY_REFUSED` and its words, and with
 * `UNREACHABLE` where the program cannot be started or does not end.
 */
export async function checkFiles(
  program: readonly string[],
  files: ReadonlyMap<string, string>,
  op: Op,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'flotilla-haproxy-'))
  try {
    for (const [name, content] of files) {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), content)
    }
    await run([...program, '-c', '-f', join(folder, CONFIG_FILE)], 'HAProxy refuses its new configuration', op)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Rejects as `checkFiles` does when the command fails. That it succeeds says nothing of HAProxy yet. */
export async function runReload(command: readonly string[], op: Op): Promise<void> {
  await run(command, 'HAProxy could not be reloaded', op)
}

/** Without a shell: what stands in the agent's own configuration is the program and its arguments. */
async function run([program = '', ...args]: readonly string[], failure: string, { signal }: Op): Promise<void> {
  try {
    await promisify(execFile)(program, args, { signal, timeout: LONGEST_MS })
  } catch (error) {
    signal?.throwIfAborted()
    const { stderr = '', message, code, killed } = error as Failed
    // The number it ended with; a word where it never began.
    if (typeof code === 'string') throw notRun(`${program} could not be run: ${message}`)
    if (killed === true) throw notRun(`${program} did not end within ${LONGEST_MS / 1000} s`)
    throw new FlotillaError(
      'PROXY_REFUSED',
      `${failure}: ${(alertsIn(stderr) || stderr.trim() || message).slice(0, WORDS_MAX)}`,
    )
  }
}

interface Failed {
  readonly stderr?: string
  readonly message: string
  readonly code?: string | number
  readonly killed?: boolean
}

function notRun(message: string): FlotillaError {
  return new FlotillaError('UNREACHABLE', message, {
    hint: 'Install it, or correct `haproxy` or `reload` of the proxy in the configuration of this agent.',
  })
}

/** `[ALERT]    (123) : config : parsing [/tmp/x/haproxy.cfg:29] : …`: what is wrong, and in which line; not that something is. */
function alertsIn(stderr: string): string {
  const alerts = stderr
    .split('\n')
    .flatMap((line) => /^\[ALERT\]\s+(?:\(\d+\) : )?(?:config : )?(.*)$/.exec(line)?.[1] ?? [])
  const found = alerts.filter((alert) => !/^(?:Error\(s\) found|Fatal errors)/.test(alert))
  return found.map((alert) => alert.replace(/^parsing \[\S*\/([^/\s]+)\] : /, '$1: ')).join('\n')
}
