import { FlotillaError } from '../../core/errors.ts'
import { parseDuration } from '../../lib/duration.ts'
import { agentFile } from '../agent-state.ts'
import { command } from '../command.ts'
import { CLIENT } from '../connect.ts'
import { preparedAgent } from '../run-agent.ts'
import { SERVICE } from '../service.ts'

export const catalogShareKeystore = command({
  arguments: [
    { name: 'NODE', summary: 'the node that asks for it' },
    {
      name: 'CODE',
      summary: 'the code that `flotilla catalog provision` shows there; - reads it from the standard input',
    },
  ],
  options: {
    state: { type: 'value', placeholder: 'DIR', summary: 'the state folder of this node', completes: 'folder' },
    config: { type: 'value', placeholder: 'FILE', summary: 'a configuration elsewhere', completes: 'file' },
    tree: { type: 'value', placeholder: 'NAME', summary: 'which GeoServer, where the node has several' },
    timeout: { type: 'value', placeholder: 'TIME', summary: 'how long to wait until it was taken', fallback: '5m' },
    json: CLIENT.json,
    ...SERVICE,
  },
  details:
    'Runs on a node that has the keystore, as somebody who may read its data directory. Keystore and master password are sealed ' +
    'for the key of the other node and the code; whoever carries them, the hub too, cannot read them. What was sealed is removed ' +
    'once it was taken.',
  examples: [
    'flotilla catalog share-keystore gs2 -',
    'flotilla catalog share-keystore gs2 - --state /var/lib/flotilla-agent',
  ],
  async run({ args, options }, context) {
    const { output } = context
    const waitMs = parseDuration(options.timeout)
    if (waitMs === undefined) throw new FlotillaError('USAGE', `--timeout takes a time such as 90s or 10m`)
    const [{ typedSealCode }, { shareKeystore }] = await Promise.all([
      import('../../lib/seal-code.ts'),
      import('../../app/catalog-keystore.ts'),
    ])
    const code = typedSealCode(args.CODE === '-' ? await context.readInput() : args.CODE)
    const file = await agentFile(options, context)
    const { config, deps } = await preparedAgent({ file, logLevel: options.logLevel ?? 'warn' }, context)
    const request = { tree: options.tree, receiver: args.NODE, code, waitMs }
    const isTaken = await shareKeystore(config, request, deps)
    if (options.json) output.json('keystore-shared', { node: args.NODE, taken: isTaken })
    else if (isTaken) output.print(`${args.NODE} has the keystore of ${config.node}`)
    else output.print(`${args.NODE} did not take the keystore in time; what was sealed for it is removed`)
    return isTaken ? 0 : 3
  },
})
