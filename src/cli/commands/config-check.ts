import { clean } from '../../lib/clean.ts'
import { command } from '../command.ts'
import { configKind, KIND, schemaOf } from '../config-kind.ts'
import { plural } from '../format.ts'

export const configCheck = command({
  arguments: [{ name: 'FILE', summary: 'a configuration of a hub or an agent', completes: 'file' }],
  options: { ...KIND, json: { type: 'flag', summary: 'print one JSON object' } },
  details: 'Looks at the file alone, not at the environment: what is missing in it counts as missing.',
  examples: ['flotilla config check /etc/flotilla/hub.yaml'],
  async run({ args, options }, context) {
    const { output } = context
    const { kind, document } = await configKind(args.FILE, options.for, context)
    const { checkConfig } = await import('../../config/load.ts')
    const checked = checkConfig(await schemaOf(kind), { document, env: {}, flags: {} })
    const issues = 'issues' in checked ? checked.issues : []
    const { noteOnBlobs } = await import('../../config/store.ts')
    const note = 'config' in checked && 'store' in checked.config ? noteOnBlobs(checked.config) : undefined
    if (options.json) {
      output.json('config-check', {
        for: kind,
        valid: issues.length === 0,
        issues,
        ...(note !== undefined && { note }),
      })
      return issues.length === 0 ? 0 : 2
    }
    for (const { message, hint, line, column } of issues) {
      const place = line === undefined ? args.FILE : `${args.FILE}:${line}:${column}`
      const advice = hint === undefined ? '' : `\n    → ${clean(hint)}`
      output.print(`${place}: ${output.paint('red', 'error')}: ${clean(message)}${advice}`)
    }
    if (issues.length === 0) output.print(`${args.FILE} is a valid configuration of ${WHOSE[kind]}`)
    else output.print(plural(issues.length, 'error'))
    if (note !== undefined) output.print(`note: ${note}`)
    return issues.length === 0 ? 0 : 2
  },
})

const WHOSE = { hub: 'a hub', agent: 'an agent', files: 'a file service' } as const
