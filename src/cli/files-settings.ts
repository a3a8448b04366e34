import { join, resolve } from 'node:path'
import type { FilesConfig } from '../config/files.ts'
import type { OpenMeteoEnvironment } from '../config/files-openmeteo.ts'
import { FlotillaError } from '../core/errors.ts'
import { isName } from '../core/keys.ts'
import type { LogLevel } from '../lib/log.ts'
import type { Secret } from '../lib/secret.ts'
import type { Context } from './context.ts'
import { DISTRIBUTION, distributed, type GivenDistribution } from './files-distribution.ts'
import { serviceSources } from './service.ts'

/** What a file service can be told on the command line. */
export const FILE_SERVICE = {
  tree: { type: 'list', placeholder: 'NAME=DIR', summary: 'serve this folder under that name' },
  listen: { type: 'value', placeholder: 'HOST:PORT', summary: 'where to listen (default 127.0.0.1:8480)' },
  apiKeyFile: {
    type: 'value',
    placeholder: 'FILE',
    summary: 'keys, one a line: KEY [read|write|parent] [TREE[/PREFIX] …]; sent as apikey=',
    completes: 'file',
  },
  s3Credentials: {
    type: 'value',
    placeholder: 'FILE',
    summary: 'one a line: ACCESS:SECRET [read|write|parent] [TREE[/PREFIX] …]; or a file of the AWS tools',
    completes: 'file',
  },
  readOnly: { type: 'flag', summary: 'nobody may write' },
  openReads: { type: 'flag', summary: 'anybody may read, although there are credentials' },
  openJson: { type: 'flag', summary: 'anybody may read *.json, as from Open-Meteo’s servers' },
  openWrites: { type: 'flag', summary: 'anybody may write; on a loopback address only' },
  ...DISTRIBUTION,
  state: {
    type: 'value',
    placeholder: 'DIR',
    summary: 'folder of the index, outside of what is served (default $XDG_STATE_HOME/flotilla/files)',
    completes: 'folder',
  },
  domain: {
    type: 'value',
    placeholder: 'NAME',
    summary: 'trees are host names below this one as well: http://TREE.NAME/KEY',
  },
  sendfilePrefix: {
    type: 'value',
    placeholder: 'PREFIX',
    summary: 'let the nginx in front send large files, from this internal location (X-Accel-Redirect)',
  },
  nginxSocket: {
    type: 'value',
    placeholder: 'PATH',
    summary: 'let the nginx in front write what is put here, and hand it over by this Unix socket',
    completes: 'file',
  },
  config: {
    type: 'value',
    placeholder: 'FILE',
    summary: 'a configuration, for everything else',
    completes: 'file',
  },
} as const

export interface FileServiceSettings {
  /** With the trees of the environment and of the options in it. */
  readonly config: FilesConfig & { readonly logLevel: LogLevel }
  /** Where relative paths of it start. */
  readonly base: string
  readonly state: string
  /** Of the environment; they read everything. */
  readonly keys: readonly Secret[]
}

/** A file service as options, environment and configuration say it. Throws `USAGE` where there is nothing to serve. */
export async function fileServiceSettings(options: Given, context: Context): Promise<FileServiceSettings> {
  const [{ loadConfig }, { filesSchema }, { openMeteoEnvironment }, { absolute }] = await Promise.all([
    import('../config/load.ts'),
    import('../config/files.ts'),
    import('../config/files-openmeteo.ts'),
    import('../config/paths.ts'),
  ])
  const openMeteo = openMeteoEnvironment(context.env)
  const named = namedFolders(options.tree)
  const { base, ...sources } = await serviceSources(options.config, flagsOf(options, openMeteo, context), context)
  const config = loadConfig(filesSchema, sources)
  const served = { ...treesOf(openMeteo.folders, context), ...config.trees, ...treesOf(named, context) }
  const trees = distributed(served, options, context)
  if (Object.keys(trees).length === 0) {
    throw new FlotillaError('USAGE', 'there is nothing to serve', { hint: 'Add --tree NAME=DIR.' })
  }
  const state = config.state === undefined ? defaultState(context) : absolute(base, config.state)
  return { config: { ...config, trees }, base, state, keys: openMeteo.keys }
}

type Settings = Readonly<Record<string, unknown>>

function flagsOf(options: Given, { sendfilePrefix }: OpenMeteoEnvironment, { cwd }: Context): Settings {
  const path = (text: string | undefined): string | undefined => (text === undefined ? undefined : resolve(cwd, text))
  return {
    listen: options.listen,
    apiKeyFile: path(options.apiKeyFile),
    s3CredentialsFile: path(options.s3Credentials),
    state: path(options.state),
    domain: options.domain,
    catchUpRate: options.catchUpRate,
    sendfilePrefix: options.sendfilePrefix ?? sendfilePrefix,
    nginxSocket: path(options.nginxSocket),
    logLevel: options.logLevel,
    // What is not given leaves what the file says.
    ...Object.fromEntries(SWITCHES.filter((name) => options[name]).map((name) => [name, true])),
  }
}

const SWITCHES = ['readOnly', 'openReads', 'openJson', 'openWrites', 'root'] as const

interface Given extends Readonly<Record<(typeof SWITCHES)[number], boolean>>, GivenDistribution {
  readonly tree: readonly string[]
  readonly config: string | undefined
  readonly listen: string | undefined
  readonly apiKeyFile: string | undefined
  readonly s3Credentials: string | undefined
  readonly state: string | undefined
  readonly domain: string | undefined
  readonly sendfilePrefix: string | undefined
  readonly nginxSocket: string | undefined
  readonly logLevel: string | undefined
}

/** `data=/srv/data` → by name. */
export function namedFolders(given: readonly string[], option = '--tree'): Readonly<Record<string, string>> {
  const folders: Record<string, string> = {}
  for (const text of given) {
    const [, name = '', folder = ''] = /^([^=]*)=(.+)$/s.exec(text) ?? []
    if (!isName(name)) {
      throw new FlotillaError('USAGE', `${option} takes NAME=DIR, not "${text}"`, {
        hint: 'A name is 1 to 64 of a-z 0-9 . _ -, starting and ending with a letter or digit.',
      })
    }
    if (folders[name] !== undefined) throw new FlotillaError('USAGE', `${option} ${name} is given twice`)
    folders[name] = folder
  }
  return folders
}

function treesOf(folders: Readonly<Record<string, string>>, { cwd }: Context): FilesConfig['trees'] {
  const trees = Object.entries(folders).map(([name, folder]) => [name, plainTree(resolve(cwd, folder))] as const)
  return Object.fromEntries(trees)
}

function plainTree(folder: string): FilesConfig['trees'][string] {
  return { folder, readOnly: false, children: [], elected: false, ack: 'local', keepCopies: false, relay: false }
}

/** Where programs of a user keep what they can make again. */
function defaultState({ env, cwd }: Context): string {
  const set = env['XDG_STATE_HOME']
  const home = set === undefined || set === '' ? join(env['HOME'] ?? cwd, '.local/state') : set
  return join(home, 'flotilla/files')
}
