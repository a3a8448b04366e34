import type { ReleaseAnswer } from '../core/api.ts'
import type { Plan } from '../core/api-rollout.ts'
import { keys, parseNodeKey } from '../core/keys.ts'
import { planOf } from '../core/rollout-plan.ts'
import { isUnderWay, rolloutSummary } from '../core/rollout-words.ts'
import { worldOf } from '../core/rollout/world.ts'
import type { Entry } from '../core/store.ts'
import type { NodeLoads } from '../core/target.ts'
import type { HubContext } from './context.ts'
import { parseValue } from './node-entries.ts'
import { zNodeLoads } from './schemas/rollouts.ts'

/** What would happen on the nodes if this release, which was only tried, were made. */
export async function planFor(
  { store, releases, clock }: Pick<HubContext, 'store' | 'releases' | 'clock'>,
  { release, changes, strategy }: ReleaseAnswer,
): Promise<Plan> {
  const { tree } = release
  const [desired, nodes, drains, last] = await Promise.all([
    store.list(keys.desired(tree)),
    store.list(keys.nodes),
    store.list(keys.drains),
    releases.rollouts.get(tree),
  ])
  const entries = [...desired.entries, ...nodes.entries, ...drains.entries]
  const world = worldOf(tree, entries, nodes.revision)
  const plan = planOf({ changes, strategy, world, loads: loadsOf(nodes.entries, tree), nowMs: clock.nowMs() })
  if (last === undefined || !isUnderWay(last.rollout)) return plan
  const running = `${rolloutSummary(last.rollout)}: no release can be made before it has ended`
  return { ...plan, running }
}

function loadsOf(entries: readonly Entry[], tree: string): ReadonlyMap<string, NodeLoads> {
  const loads = new Map<string, NodeLoads>()
  for (const { key, value } of entries) {
    const at = parseNodeKey(key)
    if (at?.family !== 'loads' || at.tree !== tree) continue
    const told = parseValue(zNodeLoads, value)
    if (told !== undefined) loads.set(at.node, told)
  }
  return loads
}
