import type { Rollout } from '../rollout.ts'
import type { World } from './world.ts'

/** Drains of one commit together, in characters: where the items of all of them would be more, whole nodes are drained. */
const CHARS_MAX = 2_000_000

type Change = Pick<Rollout, 'strategy' | 'effects' | 'whole'>

/**
 * Whether nodes are drained for what the change touches. With a proxy they are, also for a change that unloads nothing: so
 * a client is not sent to the new release and then to the old one. Where there is only one node, it serves as well as it can.
 */
export function isDraining(
  { strategy, effects }: Change,
  { nodes, proxies }: Pick<World, 'nodes' | 'proxies'>,
): boolean {
  if (strategy.drain === 'never' || nodes.size < 2 || Object.keys(effects).length === 0) return false
  return strategy.drain === 'always' || proxies.length > 0 || unloads(effects)
}

/** How long requests that are under way have: none where the old version is served until the new one is there. */
export function drainTimeOf({ strategy, effects, whole }: Change, { proxies }: Pick<World, 'proxies'>): number {
  const isNeeded = proxies.length > 0 && (strategy.drain === 'always' || whole === true || unloads(effects))
  return isNeeded ? strategy.drainMs : 0
}

/** What is drained: the items that change, sorted; undefined for whole nodes. */
export function drainedItems(
  { effects, whole }: Pick<Rollout, 'effects' | 'whole'>,
  nodes: number,
): readonly string[] | undefined {
  if (whole === true) return undefined
  const items = Object.keys(effects).toSorted()
  const chars = items.reduce((sum, item) => sum + item.length + 3, 0)
  return chars * nodes > CHARS_MAX ? undefined : items
}

function unloads(effects: Rollout['effects']): boolean {
  return Object.values(effects).includes('hard')
}
