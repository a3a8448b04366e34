import { resolve } from 'node:path'
import type { Expected, ExpectedWork } from '../../app/catalog-ways.ts'
import type { CatalogChange } from '../../app/catalog-compare.ts'
import type { CatalogFolder } from '../../app/catalog-folder.ts'
import { type ExitCode, FlotillaError, isError } from '../../core/errors.ts'
import type { FileTree } from '../../core/tree.ts'
import { CATALOG, nodeOf, nodeOption } from '../catalog-options.ts'
import { type NodePlan, printNodePlans, printWork } from '../catalog-plan-view.ts'
import { catalogTree } from '../catalog-tree.ts'
import { command } from '../command.ts'
import { type Hub, withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import { renderError } from '../errors.ts'
import { countChanges, printChanges } from '../format.ts'
import { printPlan } from '../plan-view.ts'
import { releaseChecked } from '../release-folder.ts'
import { printProblems } from '../findings.ts'
import { STRATEGY, strategyOf } from '../strategy.ts'

export const catalogPlan = command({
  arguments: [
    {
      name: 'DIR',
      summary: 'a data directory that may be released; without it, what the nodes have yet to do',
      optional: true,
      completes: 'folder',
    },
  ],
  options: {
    against: {
      type: 'value',
      placeholder: 'DIR',
      summary: 'compare with this data directory instead of the current release; needs no hub',
      completes: 'folder',
    },
    ...nodeOption('only what this one has yet to do'),
    ...STRATEGY,
    ...CATALOG,
  },
  details:
    'Says of each object or file whether it goes over REST, is placed as a file, or takes a reload, which drains the node. ' +
    'Contents that the hub lacks are brought to it, so that it can compare; nothing that any node reads changes.',
  examples: [
    'flotilla catalog plan',
    'flotilla catalog plan /srv/geoserver_data --rolling',
    'flotilla catalog plan new --against old',
  ],
  async run({ args, options }, context) {
    const { against, node } = options
    if (args.DIR === undefined) {
      if (against !== undefined) throw new FlotillaError('USAGE', '--against compares a folder: name that, too')
      return withHub(options, context, (hub) => ofNodes(options, hub, context))
    }
    if (node !== undefined) {
      throw new FlotillaError('USAGE', 'a folder is planned for every node: --node goes without one')
    }
    const folder = resolve(context.cwd, args.DIR)
    if (against !== undefined) return offline(folder, resolve(context.cwd, against), options.json, context)
    return withHub(options, context, (hub) => ofRelease(folder, options, hub, context))
  },
})

async function offline(folder: string, against: string, json: boolean, context: Context): Promise<ExitCode> {
  const { clock, signal } = context
  const { readCatalogFolder } = await import('../../app/catalog-folder.ts')
  const [own, other] = [
    await readCatalogFolder(folder, { clock, signal }),
    await readCatalogFolder(against, { clock, signal }),
  ]
  const { changes, work } = await worked(own, other.tree, context)
  if (json) context.output.json('plan', jsonOf(changes, work, own))
  else tell(changes, work, own, context)
  return own.problems.some(({ severity }) => severity === 'error') ? 4 : 0
}

type PlanOptions = Parameters<typeof strategyOf>[0] & { readonly tree: string; readonly json: boolean }

/** What the hub says of it as well: the order of nodes, drains, and what would hold it up. */
async function ofRelease(folder: string, options: PlanOptions, hub: Hub, context: Context): Promise<ExitCode> {
  const { tree, json } = options
  const { signal } = context
  const strategy = strategyOf(options)
  const { own, checked } = await catalogTree(folder, tree, hub, context)
  const request = { tree, folder, message: 'plan', dryRun: true, strategy }
  let held: unknown
  const { answer, previous } = await releaseChecked(checked, request, hub, context).catch((error: unknown) => {
    if (!isError(error, 'GUARD')) throw error
    held = error
    return releaseChecked(checked, { ...request, confirmRemoval: true }, hub, context)
  })
  const { releasedTree } = await import('../../app/catalog-releases.ts')
  const { changes, work } = await worked(own, await releasedTree(hub.client, tree, previous, { signal }), context)
  if (json) context.output.json('plan', { ...jsonOf(changes, work, own), previous, plan: answer.plan })
  else {
    tell(changes, work, own, context)
    if (answer.changed) printPlan(answer, context)
  }
  return held === undefined ? 0 : renderError(held, context.output, { json, debug: false })
}

async function worked(own: CatalogFolder, from: FileTree, { signal }: Context) {
  const [{ compareCatalogs }, { expectedWork, storesByFile }] = await Promise.all([
    import('../../app/catalog-compare.ts'),
    import('../../app/catalog-ways.ts'),
  ])
  const changes = await compareCatalogs(from, own.tree, { signal })
  const byFile = await storesByFile(own, { signal })
  return { changes, work: expectedWork(changes, own.catalog.entries, byFile) }
}

function tell(
  changes: readonly CatalogChange[],
  work: ExpectedWork,
  { problems }: CatalogFolder,
  { output }: Context,
): void {
  printProblems(problems, output)
  const all = changes.map(({ change }) => change)
  output.print(all.length === 0 ? 'nothing differs' : `would be released: ${countChanges(all)}`)
  printChanges(all, output)
  if (all.length > 0) printWork(work, output)
}

function jsonOf(changes: readonly CatalogChange[], work: ExpectedWork, { problems }: CatalogFolder): object {
  const ways = new Map(work.expected.map((one): [string, Expected] => [one.key, one]))
  const { objects, truncated } = work
  return { changes: changes.map(({ change }) => ({ ...change, ...ways.get(change.id) })), objects, truncated, problems }
}

interface NodesOptions {
  readonly node: string | undefined
  readonly tree: string
  readonly json: boolean
}

async function ofNodes({ node, tree, json }: NodesOptions, hub: Hub, context: Context): Promise<ExitCode> {
  const { signal, output } = context
  const [status, all] = await Promise.all([hub.client.status(tree, { signal }), hub.catalog.catalog(tree, { signal })])
  const { waysOfDifferences } = await import('../../app/catalog-ways.ts')
  const nodes = node === undefined ? all.nodes : [nodeOf(all, node)]
  const plans = nodes.map((one): NodePlan => {
    const due = one.catalog.differences.filter(({ decision }) => decision === 'apply')
    const target = status.nodes.find((other) => other.node === one.node)?.targets[tree]
    const warnings = (target?.warnings ?? []).filter(({ code }) => code === 'CATALOG_RELOAD')
    return { node: one.node, liveness: one.liveness, counts: one.catalog.counts, due: waysOfDifferences(due), warnings }
  })
  if (json) output.json('plan', { tree, desired: status.desired?.number, nodes: plans })
  else printNodePlans(plans, status.desired?.number, output)
  return plans.some(({ counts }) => counts.apply > 0) ? 3 : 0
}
