import { FlotillaError } from '../../core/errors.ts'
import type { Explanation, ExplainedNode } from '../../core/routing/explain.ts'
import type { KeyRule } from '../../core/routing/model.ts'
import { requestTarget } from '../../core/routing/target.ts'
import { clean } from '../../lib/clean.ts'
import { command } from '../command.ts'
import { TREE } from '../connect.ts'
import type { Context } from '../context.ts'
import { type Cell, type Colour, table } from '../output.ts'
import { lookDeps, PROXY, proxyHereOr } from '../proxy.ts'

export const proxyExplain = command({
  arguments: [{ name: 'URL', summary: 'a path with its query, or a whole address' }],
  options: {
    rule: {
      type: 'list',
      placeholder: 'RULE',
      summary: 'how items are found in URLs, where no agent with a proxy is here: erddap:/erddap, path:/tiles',
    },
    ...PROXY,
    ...TREE,
  },
  details:
    'Says which item the URL is of, which nodes are asked for it and in which order, and why. From the hub, and with one ' +
    'look at each node. The exit code is 3 when no node is good for it.',
  examples: [
    'flotilla proxy explain /erddap/griddap/sst.html',
    'flotilla proxy explain "https://data.example.org/erddap/tabledap/buoys.csv?time" --json',
  ],
  async run({ args, options }, context) {
    if (args.URL === '' || requestTarget(args.URL) === undefined)
      throw new FlotillaError('USAGE', `"${args.URL}" is no URL that a proxy takes`, {
        hint: 'It looks like /erddap/tabledap/buoys.csv?time, with % only before two hexadecimal digits.',
      })
    const here = await proxyHereOr(options, context)
    const { explainProxy } = await import('../../app/proxy-look.ts')
    const found = await explainProxy(args.URL, here, lookDeps(context), { signal: context.signal })
    if (options.json) context.output.json('proxy-explain', { proxy: here.name, ...found })
    else print(found, context)
    if (found.from === 'state') context.output.note('the hub does not answer: this is what the agent knew last')
    const answering = found.nodes.filter(({ node }) => !found.down.includes(node))
    if (answering.length === 0) context.output.note('no node answers just now: each is tried all the same')
    return answering.some(({ is }) => is === 'good') ? 0 : 3
  },
})

function print(found: Explanation, { output }: Context): void {
  const { key, rule, nodes, revision } = found
  output.print(
    output.paint('bold', clean(key ?? 'no item')) + (rule === undefined ? '' : clean(`  by ${ruleText(rule)}`)),
  )
  for (const line of wordsOf(found)) output.print(`  ${clean(line)}`)
  output.print(`  clients are told revision ${revision}`)
  if (nodes.length === 0) output.print('  there is no node behind the proxy')
  else output.print()
  table(output, ['', 'NODE', 'ADDRESS', '', 'WHY'], nodes.map(row))
}

function ruleText(rule: KeyRule): string {
  return rule.system === 'rule' ? `rule:${rule.pattern}` : `${rule.system}:${rule.base === '' ? '/' : rule.base}`
}

function wordsOf({ key, isPlaced, sharers, everyNode }: Explanation): readonly string[] {
  if (everyNode !== undefined) return [`goes to the agent at ${everyNode}, which asks every node`]
  if (key === undefined) return ['any node that is good may answer; requests are spread by the client’s address']
  if (!isPlaced) return ['no node speaks of it: the proxy chooses among those that are good, always the same one']
  return sharers > 1 ? [`hot: ${sharers} nodes share it, each client stays with one`] : []
}

const SIGNS: Readonly<Record<ExplainedNode['is'], readonly [string, Colour]>> = {
  good: ['✓ good', 'green'],
  'last-resort': ['! last resort', 'yellow'],
  down: ['✗ down', 'red'],
}

function row({ node, address, placed, is, why }: ExplainedNode, index: number): readonly Cell[] {
  const [text, colour] = SIGNS[is]
  const owner = placed ? `owner, ${why}` : why
  return [String(index + 1), node, address, { text, colour }, owner]
}
