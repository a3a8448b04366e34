import type { Rollout } from '../rollout.ts'
import { choose } from './budget.ts'
import { isDraining } from './drains.ts'
import { exposure } from './exposure.ts'
import { verdictOf } from './gate.ts'
import { baseOf } from './hold.ts'
import { isDrainInForce } from './proxies.ts'
import { canServe, inPhase, isDrainedByOthers, type Scene, timerOf, withPhase } from './scene.ts'

/** One step of a rollout that is taken back. What cannot be had in time on the way back is not waited for. */
export function backward(rollout: Rollout, scene: Scene): Rollout {
  if (rollout.requests !== undefined) return ended(withoutTrace(rollout, scene), scene)
  const judged = judge(rollout, scene)
  const shown = exposure(judged, scene)
  const moved = unpinDrained(shown, scene)
  const next = drainNext(moved, scene)
  return inPhase(next, 'proved', 'draining', 'reverting').length === 0 ? ended(next, scene) : next
}

function judge(rollout: Rollout, scene: Scene): Rollout {
  let judged = rollout
  const { release } = baseOf(rollout, scene.world)
  for (const node of inPhase(rollout, 'reverting')) {
    const verdict = verdictOf(rollout, release, node, scene.world).is
    const isLate = scene.timers.hasHeld(timerOf(rollout, node, 'unproved'), rollout.strategy.gateTimeoutMs)
    if (verdict === 'proved') judged = withPhase(judged, node, 'reverted', scene)
    else if (verdict === 'failed' || isLate) judged = withPhase(judged, node, 'failed', scene)
  }
  return judged
}

function unpinDrained(rollout: Rollout, scene: Scene): Rollout {
  let moved = rollout
  for (const node of inPhase(rollout, 'draining')) {
    const isLate = scene.timers.hasHeld(timerOf(rollout, node, 'draining'), rollout.strategy.gateTimeoutMs)
    if (isDrainInForce(rollout, node, scene) || isLate) moved = withPhase(moved, node, 'reverting', scene)
  }
  return moved
}

/** Those that proved the release go back in turn: they can answer, and not too many may be missing at the same time. */
function drainNext(rollout: Rollout, scene: Scene): Rollout {
  const room = { size: rollout.order.length, gone: goneOf(rollout, scene) }
  const { chosen } = choose(rollout, scene.world, inPhase(rollout, 'proved'), room)
  const phase = isDraining(rollout, scene.world) ? 'draining' : 'reverting'
  let next = rollout
  for (const node of chosen) next = withPhase(next, node, phase, scene)
  return next
}

const WHOLE: ReadonlySet<string> = new Set()

/** Lost, or drained by somebody, for the time of the gate: the others would keep the release until these are back. */
function goneOf(rollout: Rollout, { world, timers }: Scene): ReadonlySet<string> {
  const away = rollout.order.filter((node) => {
    return !canServe(world.nodes.get(node)) || isDrainedByOthers(world, node, WHOLE)
  })
  return new Set(away.filter((node) => timers.hasHeld(`away ${node}`, rollout.strategy.gateTimeoutMs)))
}

/** What was asked for once more has left nothing that could be taken back. */
function withoutTrace(rollout: Rollout, scene: Scene): Rollout {
  let next = rollout
  for (const node of inPhase(rollout, 'proved', 'reverting')) next = withPhase(next, node, 'reverted', scene)
  return next
}

function ended(rollout: Rollout, { stamp }: Scene): Rollout {
  const state = rollout.reason?.code === 'ABORTED' ? 'aborted' : 'rolled-back'
  return { ...rollout, state, exposed: false, endedAtMs: stamp.atMs }
}
