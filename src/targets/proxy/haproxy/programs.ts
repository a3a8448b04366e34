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

/** Lets HAProxy's own program judge the files, from a folder of their own. Rejects with `PROXY_REFUSED` and its words. */
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

/** Rejects with `PROXY_REFUSED` when the command fails. That it succeeds says nothing of HAProxy yet. */
export async function runReload(command: readonly string[], op: Op): Promise<void> {
  await run(command, 'HAProxy could not be reloaded', op)
}

/** Without a shell: what stands in the agent's own configuration is the program and its arguments. */
async function run([program = '', ...args]: readonly string[], failure: string, { signal }: Op): Promise<void> {
  try {
    await promisify(execFile)(program, args, { signal, timeout: LONGEST_MS })
  } catch (error) {
    signal?.throwIfAborted()
    const { stderr = '', message } = error as { stderr?: string; message: string }
    throw new FlotillaError(
      'PROXY_REFUSED',
      `${failure}: ${(alertsIn(stderr) || stderr.trim() || message).slice(0, WORDS_MAX)}`,
    )
  }
}

/** `[ALERT]    (123) : config : parsing [/tmp/x/haproxy.cfg:29] : …`: what is wrong, and in which line; not that something is. */
function alertsIn(stderr: string): string {
  const alerts = stderr
    .split('\n')
    .flatMap((line) => /^\[ALERT\]\s+(?:\(\d+\) : )?(?:config : )?(.*)$/.exec(line)?.[1] ?? [])
  const found = alerts.filter((alert) => !/^(?:Error\(s\) found|Fatal errors)/.test(alert))
  return found.map((alert) => alert.replace(/^parsing \[\S*\/([^/\s]+)\] : /, '$1: ')).join('\n')
}
