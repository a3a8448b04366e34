import { FlotillaError } from '../../core/errors.ts'
import { parseDuration } from '../../lib/duration.ts'
import { agentFile } from '../agent-state.ts'
import { command } from '../command.ts'
import { CLIENT } from '../connect.ts'
import { runAgentHere, runAgentOnceHere } from '../run-agent.ts'
import { SERVICE } from '../service.ts'

export const agent = command({
  arguments: [],
  options: {
    state: { type: 'value', placeholder: 'DIR', summary: 'the state folder that `join` was told', completes: 'folder' },
    config: { type: 'value', placeholder: 'FILE', summary: 'a configuration elsewhere', completes: 'file' },
    once: {
      type: 'flag',
      summary: 'bring the node in step and end, for init containers; the application need not run',
    },
    timeout: { type: 'value', placeholder: 'TIME', summary: 'with --once: how long it may take', fallback: '10m' },
    json: CLIENT.json,
    ...SERVICE,
  },
  details:
    'With neither --state nor --config, the only node that joined from this folder, or what the environment says ' +
    '(FLOTILLA_NODE and the others). With --once the exit code is 0 in step, 3 still loading, 1 failed.',
  examples: [
    'flotilla agent --state /var/lib/flotilla-agent',
    'flotilla agent --config /etc/flotilla/agent.yaml --once',
  ],
  async run({ options }, context) {
    const { config, state, logLevel, json } = options
    const fromEnvironment = config === undefined && state === undefined && (context.env['FLOTILLA_NODE'] ?? '') !== ''
    const file = fromEnvironment ? undefined : await agentFile({ config, state }, context)
    if (!options.once) return runAgentHere({ file, logLevel }, context)
    const timeoutMs = parseDuration(options.timeout)
    if (timeoutMs === undefined) {
      throw new FlotillaError('USAGE', `--timeout takes a time such as 90s or 10m, not "${options.timeout}"`)
    }
    return runAgentOnceHere({ file, logLevel, timeoutMs, json }, context)
  },
})
