import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { FlotillaError } from '../core/errors.ts'
import { DEFAULT_DATA } from './connect.ts'
import type { Context } from './context.ts'

/** In the state folder of a node: its agent's configuration, as `join` writes it. */
export const AGENT_FILE = 'agent.yaml'
const NODES = 'nodes'

interface AgentOptions {
  readonly config: string | undefined
  readonly state: string | undefined
}

/** Where `join` keeps the state of a node unless told otherwise. */
export function defaultState(node: string): string {
  return join(DEFAULT_DATA, NODES, node)
}

/** The configuration that is meant: the one that is named, or the only one that is here. */
export async function agentFile({ config, state }: AgentOptions, context: Context): Promise<string> {
  if (config !== undefined && state !== undefined)
    throw new FlotillaError('USAGE', 'give --config or --state, not both')
  if (config !== undefined) return resolve(context.cwd, config)
  if (state !== undefined) return existing(resolve(context.cwd, state, AGENT_FILE), state)
  const found = await statesHere(context)
  const [only] = found
  if (only !== undefined && found.length === 1) return only
  const folder = join(DEFAULT_DATA, NODES)
  throw new FlotillaError(
    'USAGE',
    found.length === 0 ? `no node has joined in ${folder}` : `several nodes are in ${folder}`,
    {
      hint: 'Say which: --state DIR, the folder that `flotilla join` was told, or --config FILE.',
    },
  )
}

/** Configurations of agents below the working folder. */
export async function statesHere({ cwd }: Context): Promise<readonly string[]> {
  const folder = resolve(cwd, DEFAULT_DATA, NODES)
  const names = await readdir(folder).catch(() => [])
  const files = names.map((name) => join(folder, name, AGENT_FILE))
  const there = await Promise.all(files.map((file) => isFile(file)))
  return files.filter((_, index) => there[index])
}

async function existing(file: string, state: string): Promise<string> {
  const fault = await stat(file).then(
    (found) => (found.isFile() ? undefined : 'ENOENT'),
    (error: NodeJS.ErrnoException) => error.code,
  )
  // What may not be looked at is not missing: reading it says what is wrong.
  if (fault !== 'ENOENT' && fault !== 'ENOTDIR') return file
  throw new FlotillaError('NOT_FOUND', `${state} is not the state folder of a node: there is no ${AGENT_FILE} in it`, {
    hint: 'Join first: flotilla join URL CODE --node NAME --state DIR',
  })
}

export async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
}
