import { FlotillaError } from '../../../core/errors.ts'
import type { Op } from '../../../core/op.ts'
import type { CatalogTree } from '../local.ts'
import { look, modulesOf } from '../rest/about.ts'
import type { GeoServerClient } from '../rest/client.ts'
import type { DataDirectory } from '../directory/data-directory.ts'
import { ask } from './ask.ts'
import { type DataWaits, NO_WAITS } from './data-waits.ts'
import type { Actual, Prepared, Traffic } from './model.ts'
import type { NodeState } from './node-state.ts'
import { type PlanOptions, situationOf } from './situation.ts'

export interface ObserveParts {
  readonly client: GeoServerClient
  readonly directory: DataDirectory
  readonly nowMs: () => number
  readonly traffic: (op: Op) => Promise<Traffic>
  readonly options: PlanOptions
  readonly data: DataWaits
}

/** Fewer can all be gone because somebody meant it. */
const GUARDED_FROM = 10

/** Looks at the files, then at GeoServer: what it wrote before it answered is seen. Rejects with `SOURCE_VANISHED`. */
export async function observe(prepared: Prepared, state: NodeState, parts: ObserveParts, op: Op): Promise<Actual> {
  const { client, directory, nowMs, traffic, options, data } = parts
  const application = await look(client, op)
  const tree = await directory.scan(op)
  guard(tree, state, directory.root)
  const { entries } = tree.catalog
  const agrees =
    application.is === 'up' ? await ask(prepared, { entries, state }, client, op) : new Map<string, boolean>()
  const lacks = await lacking(prepared, { state, application }, client, op)
  const seen = { nowMs: nowMs(), state, tree, entries, application, traffic: 'open', agrees, lacks } as const
  const isReady = application.is === 'up' && state.met
  const due = isReady ? situationOf(prepared, { ...seen, waits: NO_WAITS }, options).due : []
  const actual: Actual = { ...seen, waits: await data.of(due, seen.nowMs, op) }
  if (options.reload !== 'drained' || application.is !== 'up' || !state.met) return actual
  const { reload } = situationOf(prepared, actual, options)
  return reload === undefined ? actual : { ...actual, traffic: await traffic(op) }
}

/** What is gone all at once was not deleted, but where we did it or a person says so: it lies on something that is not there. */
function guard({ catalog }: CatalogTree, { base, tried, removed }: NodeState, root: string): void {
  if (base.size < GUARDED_FROM) return
  let gone = 0
  for (const key of base.keys()) if (!catalog.entries.has(key) && !tried.has(key) && !removed.has(key)) gone += 1
  if (gone * 2 <= base.size) return
  throw new FlotillaError('SOURCE_VANISHED', `${root} lacks ${gone} of the ${base.size} files that were there`, {
    file: root,
    hint:
      'Nothing was changed. Check that what it lies on is mounted. ' +
      'If it was deleted on purpose, type: flotilla catalog adopt --confirm-removal --node, with the name of this node.',
  })
}

/** Asked for only where something was refused: it is what people look for first. */
async function lacking(
  { gate }: Prepared,
  { state, application }: Pick<Actual, 'state' | 'application'>,
  client: GeoServerClient,
  op: Op,
): Promise<readonly string[]> {
  const isRefused = [...state.tried.values()].some(({ problem }) => problem !== undefined)
  if (gate === undefined || !isRefused || application.is !== 'up') return []
  const ours = new Set(await modulesOf(client, op))
  return gate.modules.filter((module) => !ours.has(module))
}
