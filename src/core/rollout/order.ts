import type { Rollout } from '../rollout.ts'
import { strategyOf } from './strategy.ts'
import type { NodeState, World } from './world.ts'

/**
 * Nodes in the order in which a change comes to them: first those that prove what is desired, for they show best what the
 * change does; then those that are alive; then the others. Within each, by name, so that it is known who goes first.
 */
export function orderOf({ nodes, desired }: Pick<World, 'nodes' | 'desired'>): readonly string[] {
  const rank = ({ isAlive, report }: NodeState): number => {
    if (!isAlive) return 2
    return report?.state === 'in-step' && report.served === desired?.release ? 0 : 1
  }
  return [...nodes.values()].toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1)).map(({ name }) => name)
}

/** The waves of that order as long as nothing disturbs. One is never larger than what may be out of service at once. */
export function wavesOf(
  order: readonly string[],
  { canary, wave, maxUnavailable }: Pick<Rollout['strategy'], 'canary' | 'wave' | 'maxUnavailable'> = strategyOf(),
): readonly (readonly string[])[] {
  const waves: (readonly string[])[] = []
  for (let start = 0; start < order.length;) {
    const size = Math.min(start === 0 ? canary : wave, maxUnavailable)
    waves.push(order.slice(start, start + size))
    start += size
  }
  return waves
}
