import { resolve } from 'node:path'
import { FlotillaError } from '../../core/errors.ts'
import { parseDuration } from '../../lib/duration.ts'
import { agentFile } from '../agent-state.ts'
import { command } from '../command.ts'
import { CLIENT } from '../connect.ts'
import { preparedAgent } from '../run-agent.ts'
import { SERVICE } from '../service.ts'

export const catalogProvision = command({
  arguments: [],
  options: {
    from: {
      type: 'value',
      placeholder: 'NODE',
      summary: 'the node whose keystore this one gets, as it has the passwords of the releases',
      required: true,
    },
    state: { type: 'value', placeholder: 'DIR', summary: 'the state folder that `join` was told', completes: 'folder' },
    config: { type: 'value', placeholder: 'FILE', summary: 'a configuration elsewhere', completes: 'file' },
    tree: { type: 'value', placeholder: 'NAME', summary: 'which GeoServer, where the node has several' },
    dataDirectory: {
      type: 'value',
      placeholder: 'DIR',
      summary: 'where to make it (default: that of the configuration)',
      completes: 'folder',
    },
    geoserver: {
      type: 'value',
      placeholder: 'VERSION',
      summary: 'the version that will run here, such as 2.26.2: one of another line is refused',
    },
    trustHub: {
      type: 'flag',
      summary: 'without a code: from a node with `shareKeystore` on, trusting whoever can write into the hub’s store',
    },
    replaceKeystore: { type: 'flag', summary: 'take the keystore although another one is there' },
    timeout: { type: 'value', placeholder: 'TIME', summary: 'how long to wait for the other node', fallback: '30m' },
    json: CLIENT.json,
    ...SERVICE,
  },
  details:
    'For a node that has joined with --no-start, before its GeoServer starts for the first time. Shows a code, which a person ' +
    'types on the other node with `flotilla catalog share-keystore`: keystore and master password then travel so that not even ' +
    'the hub can read them. Afterwards the folder holds what is released; start GeoServer, then the agent.',
  examples: [
    'flotilla catalog provision --from gs1',
    'flotilla catalog provision --from gs1 --state /var/lib/flotilla-agent --geoserver 2.26.2',
  ],
  async run({ options }, context) {
    const { output, cwd } = context
    const waitMs = parseDuration(options.timeout)
    if (waitMs === undefined) throw new FlotillaError('USAGE', `--timeout takes a time such as 90s or 10m`)
    const { from, tree, geoserver: version, replaceKeystore } = options
    const dataDirectory = options.dataDirectory === undefined ? undefined : resolve(cwd, options.dataDirectory)
    const file = await agentFile(options, context)
    const { config, deps } = await preparedAgent({ file, logLevel: options.logLevel ?? 'warn' }, context)
    const [{ newSealCode }, { provisionNode }] = await Promise.all([
      import('../../lib/seal-code.ts'),
      import('../../app/catalog-keystore.ts'),
    ])
    const code = options.trustHub ? undefined : newSealCode()
    if (code !== undefined) {
      output.note(
        `on ${from}, type: flotilla catalog share-keystore ${config.node} -\nand there this code: ${code.reveal()}`,
      )
    }
    const request = { from, tree, dataDirectory, code, version, replaceKeystore, waitMs }
    const made = await provisionNode(config, request, deps)
    if (options.json) output.json('provisioned', made)
    else {
      output.print(`${made.dataDirectory} has r${made.release}: ${made.files} files, and the keystore of ${from}`)
      output.print(`start GeoServer, then its agent: flotilla agent`)
    }
    return 0
  },
})
