import type { Rollout } from '../rollout.ts'
import { verdictOf } from './gate.ts'
import { canServe, inPhase, isDrainedByOthers, type Scene } from './scene.ts'

/**
 * Lets clients see the release once half of the nodes prove it, and takes it away from them once half are back: then, in the
 * same commit, those on the other side are drained. So never less than half of them carry what changes. At once where nobody is left to serve what clients see now.
 */
export function exposure(rollout: Rollout, scene: Scene): Rollout {
  if (rollout.requests !== undefined) return rollout
  const { world } = scene
  const isBack = rollout.state === 'reverting'
  if (rollout.exposed !== isBack) return rollout
  const items = new Set(Object.keys(rollout.effects))
  const serving = (node: string): boolean => canServe(world.nodes.get(node)) && !isDrainedByOthers(world, node, items)
  const proving = (node: string): boolean =>
    serving(node) && verdictOf(rollout, rollout.release, node, world).is === 'proved'
  const ready = isBack
    ? inPhase(rollout, 'waiting', 'reverted').filter(serving)
    : inPhase(rollout, 'proved').filter(proving)
  const left = inPhase(rollout, isBack ? 'proved' : 'waiting').filter(serving)
  const isForced = ready.length > 0 && left.length === 0
  const isEnough = ready.length >= Math.ceil(rollout.order.length / 2) && rollout.state !== 'paused'
  return isForced || isEnough ? { ...rollout, exposed: !isBack } : rollout
}
