import { resolve } from 'node:path'
import { type ExitCode, FlotillaError } from '../../core/errors.ts'
import { clean } from '../../lib/clean.ts'
import { CATALOG, catalogOption, nodeOf, nodeOption } from '../catalog-options.ts'
import { followOrder, WAIT_FOR_NODE, waitForNodeMs } from '../catalog-order.ts'
import { catalogTree } from '../catalog-tree.ts'
import { command } from '../command.ts'
import { type Hub, withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import { releaseChecked } from '../release-folder.ts'
import { tellRelease } from '../release-view.ts'
import { STRATEGY, strategyOf } from '../strategy.ts'
import { WAIT, waitForChange, waitMs } from '../wait.ts'

export const catalogApply = command({
  arguments: [
    {
      name: 'DIR',
      summary: 'a data directory of a GeoServer, or a checkout of one; all of it becomes the release',
      optional: true,
      completes: 'folder',
    },
  ],
  options: {
    message: { type: 'value', placeholder: 'TEXT', summary: 'what changed and why; needed with DIR', short: 'm' },
    takeOver: {
      type: 'flag',
      summary: 'treat what only a node has as made there now: a replica takes it away and keeps it, others release it',
    },
    ...nodeOption('with --take-over: only this one'),
    ...WAIT,
    ...STRATEGY,
    confirmRemoval: { type: 'flag', summary: 'go on although much would be removed' },
    dryRun: { type: 'flag', summary: 'check and compare, change nothing' },
    ...CATALOG,
  },
  details:
    'The directory is read as a GeoServer reads it and checked as a whole; with any error nothing changes and the exit code is ' +
    '4. Data, logs, tiles, keystores and what belongs to one node are left out. What nodes released meanwhile and DIR does ' +
    'not have is taken back: bring the checkout up to date first.',
  examples: [
    'flotilla catalog apply /srv/geoserver_data -m "roads in blue" --wait',
    'flotilla catalog apply checkout -m "$(git -C checkout log -1 --format=%s)" --rolling --wait',
    'flotilla catalog apply --take-over --node geo2',
  ],
  async run({ args, options }, context) {
    const { takeOver, message, node } = options
    if ((args.DIR === undefined) !== takeOver) {
      throw new FlotillaError('USAGE', takeOver ? '--take-over goes without a folder' : 'apply what?', {
        hint: 'Name a data directory, or give --take-over.',
      })
    }
    const timeoutMs = waitMs(options)
    if (args.DIR === undefined) return withHub(options, context, (hub) => takeOverAt(options, hub, context))
    if (node !== undefined) {
      throw new FlotillaError('USAGE', 'a release is for every node: --node goes with --take-over', {
        hint: 'To let one node go first: --canary 1.',
      })
    }
    if (message === undefined && !options.dryRun) {
      throw new FlotillaError('USAGE', '-m is missing', { hint: 'Say what changed and why: -m "roads in blue"' })
    }
    const strategy = strategyOf(options)
    const folder = resolve(context.cwd, args.DIR)
    return withHub<ExitCode>(options, context, async (hub) => {
      const { tree, confirmRemoval, dryRun, json } = options
      const { checked } = await catalogTree(folder, tree, hub, context)
      const request = { tree, folder, message: message ?? 'plan', confirmRemoval, dryRun, strategy }
      const { answer, ...before } = await releaseChecked(checked, request, hub, context)
      if (dryRun && !json) context.output.print('dry run, nothing was changed:')
      tellRelease(answer, { ...before, json, dryRun }, context)
      return dryRun ? 0 : waitForChange(answer, { timeoutMs, json }, hub, context)
    })
  },
})

interface TakeOverOptions {
  readonly node: string | undefined
  readonly tree: string
  readonly json: boolean
}

/** Exit code 3 where a node has not answered yet, 1 where one refused. */
async function takeOverAt({ node, tree, json }: TakeOverOptions, hub: Hub, context: Context): Promise<ExitCode> {
  const { output, signal } = context
  const timeoutMs = waitForNodeMs({ timeout: WAIT_FOR_NODE.timeout.fallback })
  const all = await hub.catalog.catalog(tree, { signal })
  const nodes = node === undefined ? all.nodes : [nodeOf(all, node)]
  if (nodes.length === 0) throw new FlotillaError('NOT_FOUND', `no node has told anything of ${tree} yet`)
  const told: { node: string; state: string; error?: { message: string; hint?: string } }[] = []
  for (const one of nodes) {
    const { id } = await hub.catalog.order(tree, one.node, { order: 'take-over' }, { signal })
    told.push({ node: one.node, ...(await followOrder({ tree, node: one.node, id, timeoutMs }, hub, context)) })
  }
  if (json) output.json('take-over', { tree, nodes: told })
  for (const { node: name, state, error } of json ? [] : told) {
    const why = error === undefined ? '' : `: ${error.message}${error.hint === undefined ? '' : `. ${error.hint}`}`
    output.print(clean(`${name}: ${state === 'waiting' ? 'asked, has not answered yet' : state}${why}`))
  }
  if (!json) output.note(`what comes of it: flotilla catalog status${catalogOption(tree)}`)
  return told.some(({ state }) => state === 'refused') ? 1 : told.some(({ state }) => state === 'waiting') ? 3 : 0
}
