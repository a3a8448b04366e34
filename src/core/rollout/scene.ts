import type { NodeProgress, Phase, Rollout, RolloutReason } from '../rollout.ts'
import { enter, type Stamp } from './take-back.ts'
import type { Timers } from './timers.ts'
import type { NodeState, World } from './world.ts'

/** What every step of a decision looks at. */
export interface Scene {
  readonly world: World
  readonly timers: Timers
  readonly stamp: Stamp
}

export function phaseOf({ nodes }: Pick<Rollout, 'nodes'>, node: string): Phase {
  return nodes[node]?.phase ?? 'waiting'
}

export function inPhase(rollout: Rollout, ...phases: readonly Phase[]): readonly string[] {
  return rollout.order.filter((node) => phases.includes(phaseOf(rollout, node)))
}

export function withPhase(
  rollout: Rollout,
  node: string,
  phase: Phase,
  { stamp }: Scene,
  more: Pick<NodeProgress, 'failedBefore'> = {},
): Rollout {
  const progress = { ...enter(phase, stamp, rollout.nodes[node]), ...more }
  return { ...rollout, nodes: { ...rollout.nodes, [node]: progress } }
}

/** The same rollout where nothing differs. */
export function withReason(rollout: Rollout, reason: RolloutReason | undefined): Rollout {
  if (JSON.stringify(rollout.reason) === JSON.stringify(reason)) return rollout
  const { reason: _before, ...others } = rollout
  return reason === undefined ? others : { ...others, reason }
}

export function isAlive({ world }: Scene, node: string): boolean {
  return world.nodes.get(node)?.isAlive === true
}

/** Whether requests may be sent there. What it says of its items is another matter. */
export function canServe(node: NodeState | undefined): boolean {
  return node !== undefined && node.isAlive && node.report !== undefined && node.report.state !== 'unproved'
}

/** Whether somebody else keeps requests away from it, for an item or as a whole. */
export function isDrainedByOthers({ foreign }: World, node: string, items: ReadonlySet<string>): boolean {
  const drains = foreign.get(node) ?? []
  return drains.some((drain) => drain.items === undefined || drain.items.some((item) => items.has(item)))
}

/** Names what a stopwatch measures: nothing of an earlier time in the same phase counts. */
export function timerOf(rollout: Rollout, node: string, what: string): string {
  return `${what} ${node} ${phaseOf(rollout, node)} ${rollout.nodes[node]?.sinceMs ?? 0}`
}
