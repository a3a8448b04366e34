import { command } from '../command.ts'
import { configKind, KIND, schemaOf } from '../config-kind.ts'
import { table } from '../output.ts'

export const configShow = command({
  arguments: [{ name: 'FILE', summary: 'a configuration of a hub or an agent', optional: true, completes: 'file' }],
  options: { ...KIND, json: { type: 'flag', summary: 'print one JSON object' } },
  details: 'With the file, the environment and the defaults put together as the service would. Secrets are not shown.',
  examples: ['flotilla config show /etc/flotilla/hub.yaml', 'flotilla config show --for hub'],
  async run({ args, options }, context) {
    const { output, env } = context
    const { kind, document } = await configKind(args.FILE, options.for, context)
    const { showConfig } = await import('../../config/show.ts')
    const settings = showConfig(await schemaOf(kind), { document, env, flags: {} })
    if (options.json) output.json('config', { for: kind, settings })
    else {
      const rows = settings.map(({ setting, value, origin }) => [setting, textOf(value), origin])
      table(output, ['SETTING', 'VALUE', 'FROM'], rows)
    }
    return 0
  },
})

function textOf(value: unknown): string {
  if (value === undefined) return '-'
  return typeof value === 'string' ? value : JSON.stringify(value)
}
