import { FlotillaError, messageOf } from '../../core/errors.ts'
import { fromEnvironment } from './environment.ts'

/** A file of ERDDAPUtil's settings, by dotted name below `[erddaputil]`; later files win, then the environment. */
export class Settings {
  readonly #values: ReadonlyMap<string, unknown>

  constructor(values: ReadonlyMap<string, unknown>) {
    this.#values = values
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name)
    return typeof value === 'string' && value !== '' ? value : undefined
  }

  number(name: string, otherwise: number): number {
    const value = Number(this.#values.get(name) ?? Number.NaN)
    return Number.isFinite(value) ? value : otherwise
  }

  yes(name: string, otherwise: boolean): boolean {
    const value = this.#values.get(name)
    return typeof value === 'boolean' ? value : otherwise
  }

  has(name: string): boolean {
    return this.#values.has(name)
  }
}

export interface SettingsFile {
  readonly path: string
  readonly text: string
}

const BYTES_MAX = 1024 * 1024

/** Reads them as ERDDAPUtil does. Rejects with `CONFIG_INVALID` and the place. */
export async function readSettings(
  files: readonly SettingsFile[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<Settings> {
  const { parse, TomlError } = await import('smol-toml')
  const values = new Map<string, unknown>()
  for (const { path, text } of files) {
    if (text.length > BYTES_MAX)
      throw new FlotillaError('CONFIG_INVALID', `${path} is longer than 1 MiB`, { file: path })
    try {
      flatten((parse(text) as Record<string, unknown>)['erddaputil'], '', values)
    } catch (error) {
      const place = error instanceof TomlError ? { line: error.line, column: error.column } : {}
      // Its message goes on with the lines themselves, which may hold a secret.
      const [message = ''] = messageOf(error).split('\n')
      throw new FlotillaError('CONFIG_INVALID', `${path}: ${message}`, { file: path, ...place })
    }
  }
  for (const [name, value] of fromEnvironment(env)) values.set(name, value)
  return new Settings(values)
}

function flatten(value: unknown, prefix: string, into: Map<string, unknown>): void {
  if (typeof value !== 'object' || value === null) return
  for (const [name, member] of Object.entries(value)) {
    const path = prefix === '' ? name : `${prefix}.${name}`
    if (typeof member === 'object' && member !== null && !Array.isArray(member)) flatten(member, path, into)
    else into.set(path, member)
  }
}
