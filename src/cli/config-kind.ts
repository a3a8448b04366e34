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
    choices: ['hub', 'agent', 'files'],
  },
} as const

export interface ConfigKind {
  readonly kind: 'hub' | 'agent' | 'files'
  readonly document: ConfigDocument | undefined
}

/** Settings that only an agent has. */
const AGENT_ONLY = ['node', 'hub', 'targets', 'values', 'credentialFile', 'proxies']

export async function configKind(
  file: string | undefined,
  kind: ConfigKind['kind'] | undefined,
  { cwd }: Context,
): Promise<ConfigKind> {
  if (file === undefined) {
    if (kind !== undefined) return { kind, document: undefined }
    throw new FlotillaError('USAGE', 'whose configuration?', {
      hint: 'Name a file, or give --for hub, --for agent or --for files.',
    })
  }
  const document = parseConfigDocument(file, await readFile(resolve(cwd, file), 'utf8'))
  const has = (name: string): boolean => Object.hasOwn(document.data, name)
  const guessed = AGENT_ONLY.some(has) ? 'agent' : has('trees') ? 'files' : 'hub'
  return { kind: kind ?? guessed, document }
}

export async function schemaOf(kind: ConfigKind['kind']) {
  if (kind === 'hub') return (await import('../config/hub.ts')).hubSchema
  if (kind === 'files') return (await import('../config/files.ts')).filesSchema
  return (await import('../config/agent.ts')).agentSchema
}
