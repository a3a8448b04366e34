import { command } from '../command.ts'
import { CLIENT, withHub } from '../connect.ts'

export const tokenRevoke = command({
  arguments: [{ name: 'ID', summary: 'as `flotilla token list` shows it' }],
  options: CLIENT,
  examples: ['flotilla token revoke 3f9c2a'],
  async run({ args, options }, context) {
    const { output, signal } = context
    await withHub(options, context, ({ client }) => client.revokeToken(args.ID, { signal }))
    if (options.json) output.json('token-revoked', { id: args.ID })
    else output.print(`token ${args.ID} has ended; this cannot be undone`)
    return 0
  },
})
