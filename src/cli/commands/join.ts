import { join as joinPath, resolve } from 'node:path'
import { FlotillaError } from '../../core/errors.ts'
import { DEFAULT_TREE } from '../../core/status.ts'
import { removeEmpty } from '../../lib/make-folder.ts'
import { AGENT_FILE, defaultState } from '../agent-state.ts'
import { command } from '../command.ts'
import { CLIENT, TREE } from '../connect.ts'
import type { Context } from '../context.ts'
import { DEFAULT_CATALOG } from '../catalog-options.ts'
import { erddapFolders } from '../erddap-setup.ts'
import { namedFolders } from '../files-settings.ts'
import { GEOSERVER, type GeoserverSetup, geoserverTargetOf } from '../geoserver-setup.ts'
import { CREDENTIAL_FILE, prepareState, writeState } from '../join-state.ts'
import { runAgentHere } from '../run-agent.ts'
import { SERVICE } from '../service.ts'
import { readValues, VALUES } from '../values.ts'

export const join = command({
  arguments: [
    { name: 'URL', summary: 'the hub, as `flotilla up` printed it' },
    { name: 'CODE', summary: 'the one-time code; - reads it from the standard input' },
  ],
  options: {
    node: { type: 'value', placeholder: 'NAME', summary: 'name of this node, such as erd1', required: true },
    contentDir: {
      type: 'value',
      placeholder: 'DIR',
      summary: 'ERDDAP’s content/erddap folder, where datasets.xml is',
      completes: 'folder',
    },
    ...GEOSERVER,
    onlyProxy: { type: 'flag', summary: 'there is no ERDDAP here, only a proxy before those of other servers' },
    serve: {
      type: 'list',
      placeholder: 'NAME=DIR',
      summary: 'serve this folder to other nodes and to S3 clients; needs no ERDDAP',
    },
    pull: {
      type: 'list',
      placeholder: 'NAME=DIR',
      summary: 'keep this folder in step with the nodes that serve NAME, and serve it too; needs no ERDDAP',
    },
    filesListen: {
      type: 'value',
      placeholder: 'HOST:PORT',
      summary: 'where files are served (default 127.0.0.1:8480)',
    },
    bigParentDir: {
      type: 'value',
      placeholder: 'DIR',
      summary: 'ERDDAP’s bigParentDirectory; when left out, the one in its setup.xml',
      completes: 'folder',
    },
    erddapUrl: {
      type: 'value',
      placeholder: 'URL',
      summary: 'this server’s own ERDDAP, such as http://127.0.0.1:8080/erddap; without it nothing can be proved',
    },
    state: {
      type: 'value',
      placeholder: 'DIR',
      summary: 'where the agent keeps what it needs (default .flotilla/nodes/NAME)',
      completes: 'folder',
    },
    filesDir: {
      type: 'value',
      placeholder: 'DIR',
      summary: 'where files go that travel with the definitions',
      completes: 'folder',
    },
    ...VALUES,
    sharedBlobs: {
      type: 'value',
      placeholder: 'DIR',
      summary: 'the hub’s blobs, where both are on shared storage',
      completes: 'folder',
    },
    replace: { type: 'flag', summary: 'take over the name of a node that joined before; its credential ends' },
    noStart: { type: 'flag', summary: 'only write the configuration and the credential' },
    tree: {
      type: 'value',
      placeholder: 'NAME',
      summary: `which tree (default ${DEFAULT_TREE}, of a GeoServer ${DEFAULT_CATALOG})`,
      form: TREE.tree.form,
    },
    json: CLIENT.json,
    ...SERVICE,
  },
  details:
    'Trades the code for a credential, writes both it and the agent’s configuration into the state folder, then stays in ' +
    'the foreground as the agent. The datasets.xml that is there is kept as a copy before the first release replaces it.',
  examples: [
    'flotilla join http://hub:8470 7K2M-Q9XD-4TPA --node erd1 --content-dir /usr/local/tomcat/content/erddap',
    'flotilla join http://hub:8470 - --node erd1 --content-dir /content --big-parent-dir /bpd --no-start < code',
    'flotilla join http://hub:8470 - --node geo1 --geoserver-data DIR --geoserver-url URL --geoserver-password-file FILE',
    'flotilla join http://hub:8470 7K2M-Q9XD-4TPA --node proxy1 --only-proxy --no-start',
    'flotilla join http://hub:8470 7K2M-Q9XD-4TPA --node api2 --pull data=/srv/data --files-listen 0.0.0.0:8480',
  ],
  async run({ args, options }, context) {
    const { node, replace, logLevel } = options
    const state = resolve(context.cwd, options.state ?? defaultState(node))
    const config = await configOf(args.URL, options, context)
    const code = args.CODE === '-' ? (await context.readInput()).trim() : args.CODE
    const made = await prepareState(state, replace)
    const { join: exchange } = await import('../../client/hub-client.ts')
    const { token } = await exchange(args.URL, { code, node, replace }, { signal: context.signal }).catch(
      async (error: unknown) => {
        await removeEmpty(made)
        throw error
      },
    )
    await writeState(state, config, token)
    const file = joinPath(state, AGENT_FILE)
    if (options.json) context.output.json('joined', { node, hub: args.URL, config: file })
    else {
      context.output.print(`joined ${args.URL} as ${node}; the configuration is ${file}`)
      context.output.print(
        `${options.noStart ? 'start its agent' : 'to start its agent again'}: flotilla agent --state ${state}`,
      )
    }
    return options.noStart ? 0 : runAgentHere({ file, logLevel }, context)
  },
})

interface JoinOptions extends GeoserverSetup {
  readonly node: string
  readonly contentDir: string | undefined
  readonly onlyProxy: boolean
  readonly serve: readonly string[]
  readonly pull: readonly string[]
  readonly filesListen: string | undefined
  readonly bigParentDir: string | undefined
  readonly erddapUrl: string | undefined
  readonly filesDir: string | undefined
  readonly sharedBlobs: string | undefined
  readonly tree: string | undefined
  readonly value: readonly string[]
  readonly values: string | undefined
}

/** Checked as a whole before the code is used: it works only once. */
async function configOf(url: string, options: JoinOptions, context: Context): Promise<object> {
  const { cwd } = context
  const values = Object.fromEntries(await readValues(options, context))
  const config = {
    node: options.node,
    hub: url,
    credentialFile: CREDENTIAL_FILE,
    ...(options.sharedBlobs !== undefined && { sharedBlobs: resolve(cwd, options.sharedBlobs) }),
    ...(Object.keys(values).length > 0 && { values }),
    ...(await keptOf(options, cwd)),
  }
  const [{ agentSchema }, { checkConfig }] = await Promise.all([
    import('../../config/agent.ts'),
    import('../../config/load.ts'),
  ])
  const checked = checkConfig(agentSchema, { env: {}, flags: config })
  if ('issues' in checked) throw new FlotillaError('USAGE', checked.issues.map(({ message }) => message).join('; '))
  return config
}

/** What the node keeps in step and serves. */
async function keptOf(options: JoinOptions, cwd: string): Promise<object> {
  const { serve, pull, filesListen, contentDir, onlyProxy, tree } = options
  const pulled = Object.entries(namedFolders(pull, '--pull')).map(([name, dir]) => [name, resolve(cwd, dir)] as const)
  const served = Object.entries(namedFolders(serve, '--serve')).map(([name, dir]) => [name, resolve(cwd, dir)] as const)
  const all = [...served, ...pulled]
  const geoserver = await geoserverTargetOf(options, cwd)
  if (geoserver !== undefined && contentDir !== undefined && tree !== undefined) {
    throw new FlotillaError('USAGE', '--tree cannot mean both the ERDDAP and the GeoServer', {
      hint: `Leave it out: they are ${DEFAULT_TREE} and ${DEFAULT_CATALOG} then.`,
    })
  }
  const hasErddap = contentDir !== undefined || (geoserver === undefined && !onlyProxy && all.length === 0)
  const targets = {
    ...(hasErddap && { [tree ?? DEFAULT_TREE]: await targetOf(options, cwd) }),
    ...(geoserver !== undefined && { [tree ?? DEFAULT_CATALOG]: geoserver }),
    ...Object.fromEntries(pulled.map(([name, folder]) => [name, { kind: 'files', from: ['cluster'], folder }])),
  }
  const trees = Object.fromEntries(all.map(([name, folder]) => [name, { folder }]))
  return {
    ...(Object.keys(targets).length > 0 && { targets }),
    ...(all.length > 0 && { files: { trees, ...(filesListen !== undefined && { listen: filesListen }) } }),
  }
}

async function targetOf(options: JoinOptions, cwd: string): Promise<object> {
  const { contentDir, bigParentDir, erddapUrl, filesDir } = options
  if (contentDir === undefined) {
    throw new FlotillaError('USAGE', 'join: --content-dir is required', {
      hint:
        'It is ERDDAP’s content/erddap folder. Without ERDDAP say --geoserver-data DIR, --only-proxy, --serve NAME=DIR or ' +
        '--pull NAME=DIR.',
    })
  }
  return {
    kind: 'erddap',
    ...(await erddapFolders({ contentDir, bigParentDir }, cwd)),
    ...(erddapUrl !== undefined && { url: erddapUrl }),
    ...(filesDir !== undefined && { filesDirectory: resolve(cwd, filesDir) }),
  }
}
