import { command } from '../command.ts'
import { CLIENT, withHub } from '../connect.ts'

export const nodesForget = command({
  arguments: [{ name: 'NODE', summary: 'the name it joined with' }],
  options: CLIENT,
  details: 'For a server that is gone for good. Its credential ends at once; to come back it has to join again.',
  examples: ['flotilla nodes forget erd3'],
  async run({ args, options }, context) {
    const { output, signal } = context
    await withHub(options, context, ({ client }) => client.forgetNode(args.NODE, { signal }))
    if (options.json) output.json('node-forgotten', { node: args.NODE })
    else output.print(`${args.NODE} is forgotten, and its credential has ended\nundo: flotilla token join-code`)
    return 0
  },
})
