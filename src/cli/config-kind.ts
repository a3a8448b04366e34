import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type ConfigDocument, parseConfigDocument } from '../config/document.ts'
import { FlotillaError } from '../core/errors.ts'
import type { Context } from './context.ts'

/** Options of the commands on configurations. */
export const KIND = {
  for: {
    type: 'value',
    placeholder: 'SERVICE',
    summary: 'whose configuration; guessed from the file',
    choices: ['hub', 'agent'],
  },
} as const

export interface ConfigKind {
  readonly kind: 'hub' | 'agent'
  readonly document: ConfigDocument | undefined
}

/** Settings that only an agent has. */
const AGENT_ONLY = ['node', 'hub', 'targets', 'values', 'credentialFile', 'proxies']

export async function configKind(
  file: string | undefined,
  kind: 'hub' | 'agent' | undefined,
  { cwd }: Context,
): Promise<ConfigKind> {
  if (file === undefined) {
    if (kind !== undefined) return { kind, document: undefined }
    throw new FlotillaError('USAGE', 'whose configuration?', { hint: 'Name a file, or give --for hub or --for agent.' })
  }
  const document = parseConfigDocument(file, await readFile(resolve(cwd, file), 'utf8'))
  const guessed = AGENT_ONLY.some((name) => Object.hasOwn(document.data, name)) ? 'agent' : 'hub'
  return { kind: kind ?? guessed, document }
}

export async function schemaOf(kind: ConfigKind['kind']) {
  if (kind === 'hub') return (await import('../config/hub.ts')).hubSchema
  return (await import('../config/agent.ts')).agentSchema
}
