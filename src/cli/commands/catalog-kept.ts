import { FlotillaError } from '../../core/errors.ts'
import { clean } from '../../lib/clean.ts'
import { CATALOG, catalogOption, nodeOption } from '../catalog-options.ts'
import { waitForNodeMs, WAIT_FOR_NODE } from '../catalog-order.ts'
import { command } from '../command.ts'
import { type Hub, withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import { ago } from '../format.ts'
import { table } from '../output.ts'

const SHORT = 12

export const catalogKept = command({
  arguments: [{ name: 'SHA256', summary: 'print this one: its hash, or the beginning of it', optional: true }],
  options: { node: { ...nodeOption('on which node').node, required: true }, ...WAIT_FOR_NODE, ...CATALOG },
  details:
    'Whatever a release went over although nobody had released it is kept on the node. It is printed in the form that releases ' +
    'have, with passwords masked.',
  examples: ['flotilla catalog kept --node geo2', 'flotilla catalog kept 3f9a01c2 --node geo2'],
  async run({ args, options }, context) {
    const { tree, node, json } = options
    const timeoutMs = waitForNodeMs(options)
    return withHub(options, context, async (hub) => {
      const answer = await hub.catalog.kept(tree, node, { signal: context.signal })
      if (args.SHA256 !== undefined)
        return show(answer.kept, args.SHA256, { tree, node, json, timeoutMs }, hub, context)
      const { output, clock } = context
      if (json) output.json('kept', answer)
      else if (answer.kept.length === 0)
        output.print(clean(`nothing was overwritten on ${node} that nobody had released`))
      const rows = answer.kept.map(({ sha256, key, atMs, release }) => [
        sha256.slice(0, SHORT),
        key,
        ago(atMs, clock.nowMs()),
        `r${release}`,
      ])
      if (!json) table(output, ['VERSION', 'WHAT', 'WHEN', 'OVERWRITTEN BY'], rows)
      return 0
    })
  },
})

type Kept = Awaited<ReturnType<Hub['catalog']['kept']>>['kept']

interface ShowOptions {
  readonly tree: string
  readonly node: string
  readonly json: boolean
  readonly timeoutMs: number
}

async function show(
  kept: Kept,
  typed: string,
  { tree, node, json, timeoutMs }: ShowOptions,
  hub: Hub,
  { output, signal }: Context,
): Promise<0> {
  const found = kept.filter(({ sha256 }) => sha256.startsWith(typed.toLowerCase()))
  const [one] = found
  if (one === undefined || new Set(found.map(({ sha256 }) => sha256)).size > 1) {
    const message = one === undefined ? `${node} keeps no version ${typed}` : `${typed} may be one of several`
    throw new FlotillaError(one === undefined ? 'NOT_FOUND' : 'USAGE', clean(message), {
      hint: `flotilla catalog kept --node ${node}${catalogOption(tree)}`,
    })
  }
  const bytes = await hub.catalog.version({ tree, node, sha256: one.sha256 }, { timeoutMs, signal })
  const { maskedText } = await import('../../app/catalog-compare.ts')
  const text = maskedText(one.path, bytes)
  if (json) output.json('version', { ...one, node, bytes: bytes.byteLength, text })
  else output.print(text === undefined ? `${one.path}: ${bytes.byteLength} bytes, no text` : clean(text))
  return 0
}
