import { subjectOf } from '../rollout-words.ts'
import type { Rollout, RolloutReason } from '../rollout.ts'
import { choose } from './budget.ts'
import { isDraining } from './drains.ts'
import { exposure } from './exposure.ts'
import { frozenUntil } from './freeze.ts'
import { failedOf, type Verdict, verdictOf } from './gate.ts'
import { isDrainInForce, troubleOfProxies, whyNotDrained } from './proxies.ts'
import { canServe, inPhase, isAlive, type Scene, timerOf, withPhase, withReason } from './scene.ts'
import { takenBack } from './take-back.ts'

/** One step of a rollout that runs or is paused. */
export function forward(rollout: Rollout, scene: Scene): Rollout {
  const { desired } = scene.world
  if (desired !== undefined && desired.release !== rollout.from.release) {
    const message = `r${desired.release} was made desired meanwhile`
    return takenBack(rollout, { code: 'BASE_MOVED', message }, scene.stamp)
  }
  const judged = judge(rollout, scene)
  if (judged.state === 'reverting') return judged
  const shown = exposure(judged, scene)
  if (shown.state === 'paused') return shown
  const pinned = pinDrained(shown, scene)
  if (pinned.state === 'reverting') return pinned
  const isBusy = inPhase(pinned, 'draining', 'applying').some((node) => isAlive(scene, node))
  if (!isBusy) return nextWave(pinned, scene)
  return withReason(pinned, inPhase(pinned, 'draining').length > 0 ? troubleOfProxies(scene.world) : undefined)
}

/** Looks at every node that was touched. The first that fails takes the rollout back. */
function judge(rollout: Rollout, scene: Scene): Rollout {
  let judged = rollout
  for (const node of inPhase(rollout, 'draining', 'applying', 'proved')) {
    if (rollout.nodes[node]?.phase === 'draining') {
      if (!isAlive(scene, node) || rollout.state === 'paused') judged = withPhase(judged, node, 'waiting', scene)
      continue
    }
    const verdict = verdictOf(rollout, rollout.release, node, scene.world)
    const trouble =
      verdict.is === 'failed' ? verdict.reason : verdict.is === 'pending' && late(rollout, node, verdict, scene)
    if (trouble) return takenBack(judged, trouble, scene.stamp)
    if (verdict.is === 'proved' && rollout.nodes[node]?.phase === 'applying') {
      judged = withPhase(judged, node, 'proved', scene)
    }
  }
  return judged
}

/** How long trouble of a node itself may last: its agent has tried three times before it says so. */
const TROUBLE_MS = 60_000

type Pending = Extract<Verdict, { is: 'pending' }>

/**
 * Why a node that proves nothing is no longer waited for. One that is lost while clients see nothing of the release yet may
 * be lost because of it; afterwards it is a machine that is gone, and the others have proved the release.
 */
function late(rollout: Rollout, node: string, { why, code }: Pending, scene: Scene): RolloutReason | undefined {
  const subject = subjectOf(rollout)
  if (!isAlive(scene, node)) {
    if (rollout.exposed) return undefined
    return { code: 'NODE_LOST', message: `was lost while it took up ${subject}`, node }
  }
  const { gateTimeoutMs } = rollout.strategy
  if (code !== undefined && scene.timers.hasHeld(timerOf(rollout, node, code), TROUBLE_MS)) {
    return { code, message: why, node }
  }
  if (!scene.timers.hasHeld(timerOf(rollout, node, 'unproved'), gateTimeoutMs)) return undefined
  const message = `has not proved ${subject} within ${Math.round(gateTimeoutMs / 1000)} s: ${why}`
  return { code: 'GATE_TIMEOUT', message, node }
}

function pinDrained(rollout: Rollout, scene: Scene): Rollout {
  let pinned = rollout
  for (const node of inPhase(rollout, 'draining')) {
    if (isDrainInForce(rollout, node, scene)) {
      pinned = withPhase(pinned, node, 'applying', scene)
    } else if (scene.timers.hasHeld(timerOf(rollout, node, 'draining'), rollout.strategy.gateTimeoutMs)) {
      const why = troubleOfProxies(scene.world) ?? whyNotDrained(scene.world, node)
      return takenBack(pinned, why, scene.stamp)
    }
  }
  return pinned
}

/** Nobody is at it: the next nodes, or the end, or why it stands. */
function nextWave(rollout: Rollout, scene: Scene): Rollout {
  const { world, timers } = scene
  const { strategy, order } = rollout
  if (!isSoaked(rollout, scene)) return withReason(rollout, undefined)
  const left = inPhase(rollout, 'waiting', 'draining', 'applying')
  if (left.length === 0) return finished(rollout, scene)
  const waiting = inPhase(rollout, 'waiting').filter((node) => canServe(world.nodes.get(node)))
  if (waiting.length === 0) {
    const isProved = inPhase(rollout, 'proved').length > 0
    const isOver = isProved && timers.hasHeld('nobody is left who answers', strategy.gateTimeoutMs)
    return isOver ? finished(rollout, scene) : withReason(rollout, missing(left[0] ?? '', scene))
  }
  const untilMs = frozenUntil(strategy.freeze, scene.stamp.atMs)
  if (untilMs !== undefined) {
    timers.lookIn(untilMs - scene.stamp.atMs)
    return withReason(rollout, frozen(untilMs))
  }
  const isFirst = inPhase(rollout, 'waiting').length === order.length
  const { chosen, blocked } = choose(rollout, world, waiting, { size: isFirst ? strategy.canary : strategy.wave })
  if (chosen.length === 0) return withReason(rollout, blocked)
  const phase = isDraining(rollout, world) ? 'draining' : 'applying'
  let begun = withReason(rollout, undefined)
  for (const node of chosen) begun = withPhase(begun, node, phase, scene, failedBefore(node, scene))
  return begun
}

/** Asks for each node, so that every stopwatch runs on. */
function isSoaked(rollout: Rollout, scene: Scene): boolean {
  const proved = inPhase(rollout, 'proved').filter((node) => isAlive(scene, node))
  const soaked = proved.filter((node) => {
    if (verdictOf(rollout, rollout.release, node, scene.world).is !== 'proved') return false
    return scene.timers.hasHeld(timerOf(rollout, node, 'soaking'), rollout.strategy.soakMs)
  })
  return soaked.length === proved.length
}

/** As many as a report names. */
const FAILED_MAX = 100

function failedBefore(node: string, { world }: Scene): { readonly failedBefore?: readonly string[] } {
  const report = world.nodes.get(node)?.report
  const failed =
    report === undefined
      ? []
      : failedOf(report)
          .map(([id]) => id)
          .slice(0, FAILED_MAX)
  return failed.length === 0 ? {} : { failedBefore: failed }
}

/** Nodes that were not there follow by what is desired when they are back. */
function finished(rollout: Rollout, scene: Scene): Rollout {
  let done: Rollout = withReason(rollout, undefined)
  for (const node of inPhase(rollout, 'proved')) done = withPhase(done, node, 'done', scene)
  for (const node of inPhase(rollout, 'draining', 'applying')) done = withPhase(done, node, 'waiting', scene)
  const exposed = rollout.requests === undefined
  return { ...done, state: 'done', exposed, endedAtMs: scene.stamp.atMs }
}

function missing(node: string, scene: Scene): RolloutReason {
  if (!isAlive(scene, node)) return { code: 'NODE_LOST', message: 'is lost; it is waited for', node }
  return { code: 'UNPROVED', message: 'its application does not answer; it is waited for', node }
}

function frozen(untilMs: number): RolloutReason {
  if (!Number.isFinite(untilMs)) return { code: 'FROZEN', message: 'the freeze windows leave no time for any wave' }
  const until = new Date(untilMs).toISOString().slice(0, 16).replace('T', ' ')
  return { code: 'FROZEN', message: `no wave begins before ${until} UTC` }
}
