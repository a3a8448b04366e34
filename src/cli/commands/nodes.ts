import type { NodeAnswer } from '../../core/api.ts'
import { command } from '../command.ts'
import { CLIENT, withHub } from '../connect.ts'
import { ago } from '../format.ts'
import { type Cell, table } from '../output.ts'

export const nodes = command({
  arguments: [],
  options: CLIENT,
  examples: ['flotilla nodes', 'flotilla nodes forget erd3'],
  async run({ options }, context) {
    const { output, clock, signal } = context
    const answer = await withHub(options, context, ({ client }) => client.nodes({ signal }))
    if (options.json) output.json('nodes', answer)
    else if (answer.nodes.length === 0) output.print('no node has joined yet\n\nnext: flotilla token join-code')
    else {
      const rows = answer.nodes.map((node) => rowOf(node, clock.nowMs()))
      table(output, ['NODE', 'STATE', 'TREES', 'VERSION', 'STARTED', 'VALUES', 'PEER'], rows)
    }
    return 0
  },
})

function rowOf({ node, liveness, alive, targets }: NodeAnswer, nowMs: number): Cell[] {
  return [
    node,
    liveness === 'alive' ? { text: '✓ alive', colour: 'green' } : { text: '! lost', colour: 'red' },
    Object.keys(targets).join(', ') || '-',
    alive?.version ?? '-',
    alive === undefined ? '-' : ago(alive.startedAtMs, nowMs),
    alive?.values.join(', ') || '-',
    alive?.peerUrl ?? '-',
  ]
}
