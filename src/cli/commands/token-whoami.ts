import { command } from '../command.ts'
import { CLIENT, withHub } from '../connect.ts'

export const tokenWhoami = command({
  arguments: [],
  options: CLIENT,
  examples: ['flotilla token whoami'],
  async run({ options }, context) {
    const { output, signal } = context
    const info = await withHub(options, context, ({ client }) => client.whoami({ signal }))
    if (options.json) output.json('token', info)
    else {
      output.print(`token ${info.id}: ${info.node === undefined ? info.label : `node ${info.node}`}`)
      output.print(
        `valid ${info.expiresAtMs === undefined ? 'for ever' : `until ${new Date(info.expiresAtMs).toISOString()}`}`,
      )
      for (const scope of info.scopes) output.print(`  ${scope}`)
    }
    return 0
  },
})
