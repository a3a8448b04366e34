import { FlotillaError } from '../../core/errors.ts'
import { isJsonObject } from '../../core/json-patch/json.ts'
import type { ProfileOperation } from '../../core/profile/change.ts'
import { command } from '../command.ts'
import { CLIENT, withHub } from '../connect.ts'
import { valueFrom } from '../json-words.ts'
import { toldOf } from '../profile-words.ts'

export const txn = command({
  arguments: [],
  options: {
    file: {
      type: 'value',
      placeholder: 'FILE',
      short: 'f',
      summary: 'the operations, as JSON; the standard input when left out or -',
      completes: 'file',
    },
    ...CLIENT,
  },
  details:
    'The file holds {"operations": [...]} or the list alone: up to 100, each with op, profile and what POST /v1/transactions ' +
    'takes besides, such as {"op": "set", "profile": "a", "param": "n", "value": 2, "ref": 1}. Whoever loses a race exits with 5.',
  examples: ['flotilla txn -f changes.json'],
  async run({ options }, context) {
    const file = options.file === '-' ? undefined : options.file
    const given = await valueFrom(undefined, { file, stdin: file === undefined, string: undefined }, context)
    const operations = isJsonObject(given) ? given['operations'] : given
    if (!Array.isArray(operations)) throw new FlotillaError('USAGE', 'there is no list of operations')
    const answer = await withHub(options, context, ({ profiles }) =>
      profiles.transact(operations as unknown as readonly ProfileOperation[], { signal: context.signal }),
    )
    if (options.json) context.output.json('transaction', answer)
    else
      for (const change of answer.changes)
        context.output.print(toldOf(change.changed ? 'changed' : 'looked at')(change))
    return 0
  },
})
