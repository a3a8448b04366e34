import type { Plan } from './api-rollout.ts'
import { frozenUntil } from './rollout/freeze.ts'
import { orderOf, wavesOf } from './rollout/order.ts'
import type { World } from './rollout/world.ts'
import type { Strategy } from './rollout.ts'
import type { NodeLoads } from './target.ts'
import type { ItemChange } from './tree.ts'

/** What is needed to say how a change would go out. */
export interface PlanInput {
  readonly changes: readonly ItemChange[]
  /** Undefined: to every node at once. */
  readonly strategy: Strategy | undefined
  readonly world: World
  /** By node. */
  readonly loads: ReadonlyMap<string, NodeLoads>
  readonly nowMs: number
}

const LISTED_MAX = 100

/** How a change would go out, and how long that may take. Pure. */
export function planOf({ changes, strategy, world, loads, nowMs }: PlanInput): Plan {
  const order = orderOf(world)
  const isAlive = (node: string): boolean => world.nodes.get(node)?.isAlive === true
  const alive = order.filter(isAlive)
  const waves = strategy === undefined ? (alive.length === 0 ? [] : [alive]) : wavesOf(alive, strategy)
  const proxies = [...new Set(world.proxies.map(({ name }) => name))].toSorted()
  const drains = strategy !== undefined && strategy.drain !== 'never' && proxies.length > 0 && order.length > 1
  const took = lastLoads(changes, alive, loads)
  const estimateMs = estimate(waves, took, strategy, drains)
  const frozen = strategy && frozenUntil(strategy.freeze, nowMs)
  return {
    ...(strategy && { strategy }),
    waves,
    lost: order.filter((node) => !isAlive(node)),
    drained: drains ? changes.length : 0,
    proxies,
    loads: Object.fromEntries([...took].slice(0, LISTED_MAX).map(([id, times]) => [id, Object.fromEntries(times)])),
    ...(estimateMs !== undefined && { estimateMs }),
    ...(frozen !== undefined && { frozenUntilMs: Math.min(frozen, Number.MAX_SAFE_INTEGER) }),
  }
}

type Took = ReadonlyMap<string, ReadonlyMap<string, number>>

/** By dataset and node; a dataset that no node ever loaded in that way is left out. What is removed loads nothing. */
function lastLoads(changes: readonly ItemChange[], nodes: readonly string[], loads: PlanInput['loads']): Took {
  const took = new Map<string, ReadonlyMap<string, number>>()
  for (const { id, effect } of changes) {
    if (effect === 'removed') continue
    const times = nodes.flatMap((node): [string, number][] => {
      const items = loads.get(node)?.items ?? {}
      const { soft, hard } = Object.hasOwn(items, id) ? (items[id] ?? {}) : {}
      const ms = effect === 'soft' ? (soft ?? hard) : (hard ?? soft)
      return ms === undefined ? [] : [[node, ms]]
    })
    if (times.length > 0) took.set(id, new Map(times))
  }
  return took
}

/** The slowest node of each wave, one wave after the other; undefined where nothing is known of any load. */
function estimate(
  waves: Plan['waves'],
  took: Took,
  strategy: Strategy | undefined,
  drains: boolean,
): number | undefined {
  if (took.size === 0 || waves.length === 0) return undefined
  const onNode = (node: string): number => [...took.values()].reduce((sum, times) => sum + (times.get(node) ?? 0), 0)
  const loadMs = waves.reduce((sum, wave) => sum + Math.max(...wave.map(onNode)), 0)
  const { drainMs = 0, soakMs = 0 } = strategy ?? {}
  return loadMs + waves.length * ((drains ? drainMs : 0) + soakMs)
}
