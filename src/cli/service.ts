import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Logger } from '../core/log.ts'
import type { Sources } from '../config/layers.ts'
import { createLogger, LOG_LEVELS, type LogLevel } from '../lib/log.ts'
import type { Context } from './context.ts'

/** Options of commands that stay in the foreground. */
export const SERVICE = {
  logLevel: { type: 'value', placeholder: 'LEVEL', summary: 'how much is logged', choices: LOG_LEVELS },
} as const

export interface ServiceSources extends Sources {
  /** Where relative paths start: at the file, or at the working folder. */
  readonly base: string
}

/** Where a service's settings come from. */
export async function serviceSources(
  file: string | undefined,
  flags: Readonly<Record<string, unknown>>,
  { cwd, env }: Context,
): Promise<ServiceSources> {
  if (file === undefined) return { env, flags, base: cwd }
  // Without a file, the parser of YAML would be memory for nothing.
  const { parseConfigDocument } = await import('../config/document.ts')
  const path = resolve(cwd, file)
  return { document: parseConfigDocument(path, await readFile(path, 'utf8')), env, flags, base: dirname(path) }
}

/** Lines for people on a terminal, JSON for a collector; always on the error output. */
export function serviceLog(name: string, level: LogLevel, { output }: Context): Logger {
  const human = output.err.columns !== undefined
  return createLogger({ name, level, human, write: (line) => output.err.write(line) })
}
