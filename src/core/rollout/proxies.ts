import type { Rollout, RolloutReason } from '../rollout.ts'
import { drainTimeOf, isDraining } from './drains.ts'
import { shortened } from './gate.ts'
import { type Scene, timerOf } from './scene.ts'
import type { ProxyState, World } from './world.ts'

/** Whether every proxy keeps requests away from the node, and those that were under way have had their time. */
export function isDrainInForce(rollout: Rollout, node: string, { world, timers }: Scene): boolean {
  if (!isDraining(rollout, world)) return true
  const drain = world.drains.get(node)
  if (drain === undefined || world.proxies.some((proxy) => !hasTakenOver(proxy, drain.revision))) return false
  return timers.hasHeld(timerOf(rollout, node, `drained at ${drain.revision}`), drainTimeOf(rollout, world))
}

/** The first proxy that cannot confirm anything as it is. */
export function troubleOfProxies({ proxies }: World): RolloutReason | undefined {
  const proxy = proxies.find((each) => !each.isAlive || each.state !== 'in-step')
  if (proxy === undefined) return undefined
  const why = proxy.isAlive ? `failed${proxy.error === undefined ? '' : `: ${shortened(proxy.error)}`}` : 'is lost'
  return unconfirmed(`the proxy ${proxy.name} ${why}, so nothing says that a drain is in force there`)
}

/** Why a drain is no longer waited for. */
export function whyNotDrained({ proxies, drains }: World, node: string): RolloutReason {
  const revision = drains.get(node)?.revision ?? 0
  const proxy = proxies.find((each) => !hasTakenOver(each, revision))
  const who = proxy === undefined ? 'a proxy' : `the proxy ${proxy.name}`
  return unconfirmed(`${who} has not taken over in time that ${node} is drained`)
}

function unconfirmed(message: string): RolloutReason {
  return { code: 'DRAIN_UNCONFIRMED', message }
}

function hasTakenOver({ isAlive, state, asOf = 0 }: ProxyState, revision: number): boolean {
  return isAlive && state === 'in-step' && asOf >= revision
}
