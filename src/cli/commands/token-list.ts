import { command } from '../command.ts'
import { CLIENT, withHub } from '../connect.ts'
import { ago, span } from '../format.ts'
import { table } from '../output.ts'

export const tokenList = command({
  arguments: [],
  options: CLIENT,
  examples: ['flotilla token list'],
  async run({ options }, context) {
    const { output, clock, signal } = context
    const answer = await withHub(options, context, ({ client }) => client.tokens({ signal }))
    if (options.json) output.json('tokens', answer)
    else {
      const nowMs = clock.nowMs()
      const rows = answer.tokens.map((token) => [
        token.id,
        token.node === undefined ? token.label : `node ${token.node}`,
        ago(token.createdAtMs, nowMs),
        expiry(token.expiresAtMs, nowMs),
        token.scopes.join(' '),
      ])
      table(output, ['ID', 'LABEL', 'CREATED', 'EXPIRES', 'SCOPES'], rows)
    }
    return 0
  },
})

function expiry(atMs: number | undefined, nowMs: number): string {
  if (atMs === undefined) return 'never'
  return atMs <= nowMs ? 'expired' : `in ${span(atMs - nowMs)}`
}
