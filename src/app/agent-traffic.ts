import type { Clock } from '../core/clock.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import { isOfWorld, type ProxyState, worldOf } from '../core/rollout/world.ts'
import { DEFAULT_STRATEGY, type Drain } from '../core/rollout.ts'
import type { Entry, Store } from '../core/store.ts'
import type { Traffic } from '../targets/geoserver/runtime/model.ts'

/**
 * Whether proxies send clients of that tree to this node: not while it is drained as a whole, and each of them has taken that over. One that is
 * lost may still send some.
 */
export async function trafficOf(tree: string, node: string, store: Store, op: Op): Promise<Traffic> {
  const { entries, revision } = await store.list(keys.nodes, op)
  const { proxies } = worldOf(
    tree,
    entries.filter(({ key }) => isOfWorld(key)),
    revision,
  )
  if (proxies.length === 0) return 'no-proxy'
  const drains = (await store.list(keys.drainsOf(node), op)).entries.filter((entry) => isWhole(entry, tree))
  const isInForce = drains.some((drain) => proxies.every((proxy) => hasTakenOver(proxy, drain.revision)))
  return isInForce ? 'drained' : 'open'
}

/**
 * As `trafficOf`, but a node counts as drained only once the requests that were under way when the proxies took that over have had the time
 * that rollouts give them.
 */
export function calmTraffic(clock: Clock, ask: (op: Op) => Promise<Traffic>): (op: Op) => Promise<Traffic> {
  let sinceMs: number | undefined
  return async (op) => {
    const traffic = await ask(op)
    if (traffic !== 'drained') {
      sinceMs = undefined
      return traffic
    }
    const nowMs = clock.monotonicMs()
    sinceMs ??= nowMs
    return nowMs - sinceMs >= DEFAULT_STRATEGY.drainMs ? 'drained' : 'open'
  }
}

function hasTakenOver({ isAlive, state, asOf = 0 }: ProxyState, revision: number): boolean {
  return isAlive && state === 'in-step' && asOf >= revision
}

/** Only the hub writes drains. One that cannot be read is as good as absent. */
function isWhole({ value }: Entry, tree: string): boolean {
  try {
    const drain = JSON.parse(value) as Partial<Drain> | null
    return drain?.tree === tree && drain.items === undefined
  } catch {
    return false
  }
}
