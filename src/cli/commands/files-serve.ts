import { join, resolve } from 'node:path'
import type { ReadyFiles } from '../../app/files.ts'
import type { FilesConfig } from '../../config/files.ts'
import type { OpenMeteoEnvironment } from '../../config/files-openmeteo.ts'
import { FlotillaError } from '../../core/errors.ts'
import { isName } from '../../core/keys.ts'
import { command } from '../command.ts'
import { CLIENT } from '../connect.ts'
import type { Context } from '../context.ts'
import { SERVICE, serviceLog, serviceSources } from '../service.ts'

export const filesServe = command({
  arguments: [],
  options: {
    tree: { type: 'list', placeholder: 'NAME=DIR', summary: 'serve this folder under that name' },
    listen: { type: 'value', placeholder: 'HOST:PORT', summary: 'where to listen (default 127.0.0.1:8480)' },
    apiKeyFile: {
      type: 'value',
      placeholder: 'FILE',
      summary: 'keys, one a line: KEY [read|write] [TREE[/PREFIX] …]; sent as apikey=',
      completes: 'file',
    },
    s3Credentials: {
      type: 'value',
      placeholder: 'FILE',
      summary: 'one a line: ACCESS:SECRET [read|write] [TREE[/PREFIX] …]; or a file of the AWS tools',
      completes: 'file',
    },
    readOnly: { type: 'flag', summary: 'nobody may write' },
    openReads: { type: 'flag', summary: 'anybody may read, although there are credentials' },
    openJson: { type: 'flag', summary: 'anybody may read *.json, as from Open-Meteo’s servers' },
    openWrites: { type: 'flag', summary: 'anybody may write; on a loopback address only' },
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
    config: {
      type: 'value',
      placeholder: 'FILE',
      summary: 'a configuration, for everything else',
      completes: 'file',
    },
    json: CLIENT.json,
    ...SERVICE,
  },
  details:
    'Stays in the foreground; Ctrl-C stops it. Without any credentials anybody may read and nobody write. With some, ' +
    'nothing is open but what --open-reads or --open-json say. Reads what Open-Meteo’s server reads from the environment: ' +
    'API_SYNC_APIKEYS, DATA_DIRECTORY, DATA_RUN_DIRECTORY, DATA_SPATIAL_DIRECTORY, NGINX_SENDFILE_PREFIX; with a folder ' +
    'from there no --tree is needed.',
  examples: [
    'flotilla files serve --tree data=/srv/data',
    'flotilla files serve --tree data=/srv/data --tree runs=/srv/runs --listen 0.0.0.0:8480 --api-key-file keys',
  ],
  async run({ options }, context) {
    const [{ loadConfig }, { filesSchema }, { openMeteoEnvironment }, { runFiles }, { absolute }] = await Promise.all([
      import('../../config/load.ts'),
      import('../../config/files.ts'),
      import('../../config/files-openmeteo.ts'),
      import('../../app/files.ts'),
      import('../../config/paths.ts'),
    ])
    const openMeteo = openMeteoEnvironment(context.env)
    const named = namedFolders(options.tree)
    const { base, ...sources } = await serviceSources(options.config, flagsOf(options, openMeteo, context), context)
    const config = loadConfig(filesSchema, sources)
    const trees = { ...treesOf(openMeteo.folders, context), ...config.trees, ...treesOf(named, context) }
    if (Object.keys(trees).length === 0) {
      throw new FlotillaError('USAGE', 'there is nothing to serve', { hint: 'Add --tree NAME=DIR.' })
    }
    const state = config.state === undefined ? defaultState(context) : absolute(base, config.state)
    const { clock, signal } = context
    const log = serviceLog('files', config.logLevel, context)
    await runFiles({ ...config, trees }, { clock, log, signal, base, state, keys: openMeteo.keys }, (ready) => {
      if (options.json) context.output.json('files', ready)
      else tell(ready, context)
    })
    return 0
  },
})

type Settings = Readonly<Record<string, unknown>>

function flagsOf(options: Given, { sendfilePrefix }: OpenMeteoEnvironment, { cwd }: Context): Settings {
  const path = (text: string | undefined): string | undefined => (text === undefined ? undefined : resolve(cwd, text))
  return {
    listen: options.listen,
    apiKeyFile: path(options.apiKeyFile),
    s3CredentialsFile: path(options.s3Credentials),
    state: path(options.state),
    domain: options.domain,
    sendfilePrefix: options.sendfilePrefix ?? sendfilePrefix,
    logLevel: options.logLevel,
    // What is not given leaves what the file says.
    ...Object.fromEntries(SWITCHES.filter((name) => options[name]).map((name) => [name, true])),
  }
}

const SWITCHES = ['readOnly', 'openReads', 'openJson', 'openWrites'] as const

interface Given extends Readonly<Record<(typeof SWITCHES)[number], boolean>> {
  readonly listen: string | undefined
  readonly apiKeyFile: string | undefined
  readonly s3Credentials: string | undefined
  readonly state: string | undefined
  readonly domain: string | undefined
  readonly sendfilePrefix: string | undefined
  readonly logLevel: string | undefined
}

/** `data=/srv/data` → by name. */
function namedFolders(given: readonly string[]): Readonly<Record<string, string>> {
  const folders: Record<string, string> = {}
  for (const text of given) {
    const [, name = '', folder = ''] = /^([^=]*)=(.+)$/s.exec(text) ?? []
    if (!isName(name)) {
      throw new FlotillaError('USAGE', `--tree takes NAME=DIR, not "${text}"`, {
        hint: 'A name is 1 to 64 of a-z 0-9 . _ -, starting and ending with a letter or digit.',
      })
    }
    if (folders[name] !== undefined) throw new FlotillaError('USAGE', `--tree ${name} is given twice`)
    folders[name] = folder
  }
  return folders
}

function treesOf(folders: Readonly<Record<string, string>>, { cwd }: Context): FilesConfig['trees'] {
  const trees = Object.entries(folders).map(([name, folder]) => [
    name,
    { folder: resolve(cwd, folder), readOnly: false },
  ])
  return Object.fromEntries(trees) as FilesConfig['trees']
}

/** Where programs of a user keep what they can make again. */
function defaultState({ env, cwd }: Context): string {
  const set = env['XDG_STATE_HOME']
  const home = set === undefined || set === '' ? join(env['HOME'] ?? cwd, '.local/state') : set
  return join(home, 'flotilla/files')
}

function tell(ready: ReadyFiles, { output }: Context): void {
  output.print(`files  ${ready.url}`)
  for (const { name, folder, readOnly } of ready.trees) {
    output.print(`tree   ${name}  ${folder}${readOnly ? ' (read-only)' : ''}`)
  }
  output.print(`reads  ${ready.reads}`)
  output.print(`writes ${ready.writes}`)
  output.print(`state  ${ready.state}`)
  const [first] = ready.trees
  if (first === undefined) return
  output.print('\nto try it:')
  output.print(`  curl '${ready.url}/${first.name}/?list-type=2&max-keys=10${ready.needsKey ? '&apikey=KEY' : ''}'`)
}
