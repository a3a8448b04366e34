import { FlotillaError } from '../../core/errors.ts'
import { parseDuration } from '../../lib/duration.ts'
import { command } from '../command.ts'
import { CLIENT, withHub } from '../connect.ts'
import { PROFILE } from '../profile-words.ts'
import { giveToken, OUT } from '../token-file.ts'

export const profileToken = command({
  arguments: [PROFILE],
  options: {
    write: { type: 'flag', summary: 'it may change params and meta as well' },
    param: { type: 'list', placeholder: 'KEY', summary: 'only this param; may be given several times' },
    ttl: { type: 'value', placeholder: 'TIME', summary: 'how long it is valid, such as 30m or 1d', fallback: '2h' },
    label: { type: 'value', placeholder: 'TEXT', summary: 'for what; stands as author in the history' },
    ...OUT,
    ...CLIENT,
  },
  details:
    'A node makes them for the profiles that it was given, a day long at most. `flotilla token list` shows them and their use, ' +
    '`flotilla token revoke` ends one. The token alone is printed, this once.',
  examples: [
    'flotilla profile token example --write --ttl 30m --out cluster.token',
    'flotilla profile token example --write --param my/leader',
  ],
  async run({ args, options }, context) {
    const ttlMs = parseDuration(options.ttl)
    if (ttlMs === undefined) throw new FlotillaError('USAGE', `--ttl takes a time such as 30m, not "${options.ttl}"`)
    const { label } = options
    const request = {
      verbs: options.write ? (['read', 'write'] as const) : (['read'] as const),
      ttlMs,
      ...(label !== undefined && { label }),
      ...(options.param.length > 0 && { params: options.param }),
    }
    const make = () =>
      withHub(options, context, ({ profiles }) => profiles.token(args.PROFILE, request, { signal: context.signal }))
    await giveToken(make, options, context)
    return 0
  },
})
