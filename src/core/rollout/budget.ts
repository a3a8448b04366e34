import type { Rollout, RolloutReason } from '../rollout.ts'
import { canServe, isDrainedByOthers, phaseOf } from './scene.ts'
import type { World } from './world.ts'

export interface Choice {
  readonly chosen: readonly string[]
  /** Why the first of those that were left out was: there were others out of service. */
  readonly blocked?: RolloutReason
}

/** The node as such, beside its items. */
const WHOLE = ''
const NOBODY: ReadonlySet<string> = new Set()

/**
 * Which of `candidates` may be taken out of service now, in their order, `size` at most: afterwards no item may be out of
 * service on more nodes than the strategy allows. A node on which the item is out of service already takes nothing away.
 * Nodes that are `gone` count no more.
 */
export function choose(
  rollout: Rollout,
  world: World,
  candidates: readonly string[],
  { size, gone = NOBODY }: { readonly size: number; readonly gone?: ReadonlySet<string> },
): Choice {
  const { maxUnavailable } = rollout.strategy
  const out = outOfService(rollout, world, gone)
  const chosen: string[] = []
  let blocked: RolloutReason | undefined
  for (const node of candidates) {
    if (chosen.length === size) break
    const full = [...out].find(([, nodes]) => !nodes.has(node) && nodes.size >= maxUnavailable)
    if (full === undefined) {
      chosen.push(node)
      for (const nodes of out.values()) nodes.add(node)
    } else {
      blocked ??= reasonOf(full, maxUnavailable, world)
    }
  }
  return { chosen, ...(blocked !== undefined && { blocked }) }
}

/** By item, the nodes that cannot answer for it. Items that are served wherever the node as such is are left out. */
function outOfService(rollout: Rollout, world: World, gone: ReadonlySet<string>): ReadonlyMap<string, Set<string>> {
  const out = new Map<string, Set<string>>()
  const present = rollout.order.filter((node) => !gone.has(node))
  for (const item of [WHOLE, ...contested(rollout, world)]) {
    out.set(item, new Set(present.filter((node) => isOut(rollout, world, node, item))))
  }
  return out
}

/** Items that some node cannot answer for, and that the change touches. On the way back there is nothing to choose. */
function contested({ effects, state }: Rollout, { nodes, foreign }: World): ReadonlySet<string> {
  const items = new Set<string>()
  if (state === 'reverting') return items
  const add = (item: string): void => {
    if (effects[item] === 'soft' || effects[item] === 'hard') items.add(item)
  }
  for (const { report } of nodes.values()) Object.keys(report?.troubled ?? {}).forEach(add)
  for (const drain of [...foreign.values()].flat()) drain.items?.forEach(add)
  return items
}

/** One that proved the release answers, although clients may not be sent there yet; its gate judged its items. */
function isOut(rollout: Rollout, world: World, node: string, item: string): boolean {
  const phase = phaseOf(rollout, node)
  if (phase === 'draining' || phase === 'applying' || phase === 'reverting') return true
  const state = world.nodes.get(node)
  if (!canServe(state)) return true
  if (isDrainedByOthers(world, node, new Set([item]))) return true
  return phase === 'waiting' && state?.report?.troubled[item] !== undefined
}

function reasonOf([item, nodes]: [string, ReadonlySet<string>], max: number, world: World): RolloutReason {
  const [node = ''] = [...nodes].toSorted()
  const what = world.nodes.get(node)?.isAlive === true ? 'is out of service' : 'is lost'
  const which = item === WHOLE ? '' : ` for ${item}`
  const message = `${what}${which}, and at most ${max} ${max === 1 ? 'node' : 'nodes'} may be at a time`
  return { code: 'UNAVAILABLE', message, node, ...(item !== WHOLE && { item }) }
}
