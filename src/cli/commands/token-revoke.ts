import { FlotillaError } from '../../core/errors.ts'
import { command } from '../command.ts'
import { CLIENT, withHub } from '../connect.ts'

const ID = /^[0-9a-f]{16}$/

export const tokenRevoke = command({
  arguments: [{ name: 'ID', summary: 'as `flotilla token list` shows it' }],
  options: CLIENT,
  examples: ['flotilla token revoke 3f9c2a5517d0be84'],
  async run({ args, options }, context) {
    const { output, signal } = context
    if (!ID.test(args.ID)) {
      throw new FlotillaError('USAGE', `"${args.ID}" is not the id of a token`, {
        hint: 'An id has 16 hex digits, between the two "_" of the token: see them with `flotilla token list`.',
      })
    }
    await withHub(options, context, ({ client }) => client.revokeToken(args.ID, { signal }))
    if (options.json) output.json('token-revoked', { id: args.ID })
    else output.print(`token ${args.ID} has ended; this cannot be undone`)
    return 0
  },
})
