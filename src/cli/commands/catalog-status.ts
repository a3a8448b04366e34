import type { CatalogNodeAnswer } from '../../core/api-catalog.ts'
import type { ExitCode } from '../../core/errors.ts'
import { clean } from '../../lib/clean.ts'
import { CATALOG, nodeOf, nodeOption } from '../catalog-options.ts'
import { type CatalogPicture, printCatalogNodes, printNode } from '../catalog-view.ts'
import { command } from '../command.ts'
import { withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import { releaseLine } from '../format.ts'
import { printDrains, printTakenBack, printTrees, printWarnings } from '../node-view.ts'

export const catalogStatus = command({
  arguments: [],
  options: { ...nodeOption('only this one'), ...CATALOG },
  details:
    'A node is in step when its data directory has what the release says and its GeoServer answers for what was changed. The ' +
    'exit code is 0 in step, 3 where anything is pending, differs or waits for a decision, 7 when the hub does not answer.',
  examples: ['flotilla catalog status', 'flotilla catalog status --node geo2 --json'],
  async run({ options }, context) {
    const { tree } = options
    const { signal } = context
    return withHub<ExitCode>(options, context, async (hub) => {
      const [status, all] = await Promise.all([
        hub.client.status(tree, { signal }),
        hub.catalog.catalog(tree, { signal }),
      ])
      const catalog = options.node === undefined ? all : { ...all, nodes: [nodeOf(all, options.node)] }
      const nodes = status.nodes.filter(({ node }) => options.node === undefined || node === options.node)
      const picture: CatalogPicture = { status: { ...status, nodes }, catalog }
      if (options.json) context.output.json('catalog', jsonOf(picture))
      else print(picture, context)
      const differs = catalog.nodes.some(({ catalog: { counts } }) => Object.values(counts).some((count) => count > 0))
      return status.state === 'in-step' && !differs ? 0 : 3
    })
  },
})

function print({ status, catalog }: CatalogPicture, { output, clock }: Context): void {
  const nowMs = clock.nowMs()
  const colour = status.state === 'in-step' ? 'green' : status.state === 'failed' ? 'red' : 'yellow'
  output.print(output.paint(colour, clean(status.summary)))
  if (status.desired !== undefined) output.print(output.paint('dim', releaseLine(status.desired, nowMs)))
  if (status.nodes.length > 0) output.print()
  printCatalogNodes({ status, catalog }, nowMs, output)
  printDrains(status, nowMs, output)
  printTakenBack(status, nowMs, output)
  printTrees(status, output)
  printWarnings(status, output)
  for (const one of catalog.nodes) printNode(one, status.tree, nowMs, output)
  const next = status.state === 'empty' ? FIRST : status.next
  if (next !== undefined) output.print(`\nnext: ${clean(next)}`)
}

/** What hubs say of a tree that is empty is about datasets. */
const FIRST = 'join a GeoServer with --role source, or: flotilla catalog apply DIR -m "first release"'

function jsonOf({ status, catalog }: CatalogPicture): object {
  const { tree, state, summary, desired, next } = status
  const told = new Map(catalog.nodes.map((one): [string, CatalogNodeAnswer] => [one.node, one]))
  const nodes = status.nodes.map(({ node, liveness, targets }) => {
    const { catalog: own, waiting } = told.get(node) ?? {}
    return { node, liveness, target: targets[tree], catalog: own, waiting }
  })
  return { tree, state, summary, desired, next, nodes }
}
