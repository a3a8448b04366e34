import type { NodeProgress, Phase, Rollout, RolloutReason } from '../rollout.ts'

/** When a phase begins: the wall clock, for people, and what the store has reached. */
export interface Stamp {
  readonly atMs: number
  readonly revision: number
}

export function enter(phase: Phase, { atMs, revision }: Stamp, before?: NodeProgress): NodeProgress {
  const failedBefore = before?.failedBefore
  return { phase, sinceMs: atMs, revision, ...(failedBefore !== undefined && { failedBefore }) }
}

/**
 * The change is taken back: nodes that are at it go back at once, those that wait for their drain are let go, and those
 * that proved it follow in their turn.
 */
export function takenBack(rollout: Rollout, reason: RolloutReason, stamp: Stamp): Rollout {
  const nodes = Object.entries(rollout.nodes).map(([node, progress]): [string, NodeProgress] => {
    if (progress.phase === 'draining') return [node, enter('waiting', stamp, progress)]
    if (progress.phase === 'applying') return [node, enter('reverting', stamp, progress)]
    return [node, progress]
  })
  return { ...rollout, state: 'reverting', nodes: Object.fromEntries(nodes), reason }
}
