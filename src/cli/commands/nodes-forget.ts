import { FlotillaError, isError } from '../../core/errors.ts'
import { isName } from '../../core/keys.ts'
import { didYouMean } from '../../lib/closest.ts'
import { command } from '../command.ts'
import { CLIENT, type Hub, withHub } from '../connect.ts'
import type { Context } from '../context.ts'

export const nodesForget = command({
  arguments: [{ name: 'NODE', summary: 'the name it joined with' }],
  options: CLIENT,
  details: 'For a server that is gone for good. Its credential ends at once; to come back it has to join again.',
  examples: ['flotilla nodes forget erd3'],
  async run({ args, options }, context) {
    const { output } = context
    await withHub(options, context, (hub) => forget(args.NODE, hub, context))
    if (options.json) output.json('node-forgotten', { node: args.NODE })
    else output.print(`${args.NODE} is forgotten, and its credential has ended\nundo: flotilla token join-code`)
    return 0
  },
})

/** A name that nobody has is answered with those that somebody has. */
async function forget(node: string, { client }: Hub, { signal }: Context): Promise<void> {
  const missing = (hint?: string): FlotillaError =>
    new FlotillaError('NOT_FOUND', `there is no node ${node}`, { hint: hint ?? 'See them with `flotilla nodes`.' })
  if (!isName(node)) throw missing()
  try {
    await client.forgetNode(node, { signal })
  } catch (error) {
    if (!isError(error, 'NOT_FOUND')) throw error
    const known = await client.nodes({ signal }).catch(() => undefined)
    const names = known?.nodes.map((one) => one.node) ?? []
    throw missing(didYouMean(node, names) ?? listed(names))
  }
}

const LISTED_MAX = 10

function listed(names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined
  const more = names.length > LISTED_MAX ? ` and ${names.length - LISTED_MAX} more` : ''
  return `Nodes here: ${names.slice(0, LISTED_MAX).join(', ')}${more}.`
}
