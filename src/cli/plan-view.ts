import type { ReleaseAnswer } from '../core/api.ts'
import type { Plan } from '../core/api-rollout.ts'
import { clean } from '../lib/clean.ts'
import type { Context } from './context.ts'
import { plural, span } from './format.ts'
import { freezeText } from './strategy.ts'

const NODES_MAX = 12
const DATASETS_MAX = 20
/** As far as anybody plans. */
const YEARS_MS = 10 * 365 * 86_400_000

/** How a change would go out, in sentences: who goes first, what is drained, how long it took the last time. */
export function printPlan({ plan, changes }: Pick<ReleaseAnswer, 'plan' | 'changes'>, context: Context): void {
  if (plan === undefined) return
  const { output } = context
  const lines = [
    ...wayOf(plan),
    ...(changes.length === 0 ? [] : [...drainOf(plan), ...timesOf(plan, changes.length)]),
    ...frozenOf(plan, context.clock.nowMs()),
    ...(plan.lost.length === 0 ? [] : [`${listed(plan.lost)} lost: takes it up when it is back`]),
  ]
  output.print('how it would go out:')
  for (const line of lines) output.print(clean(`  ${line}`))
  if (plan.running !== undefined) output.print(`${output.paint('yellow', 'note:')} ${clean(plan.running)}`)
}

function wayOf({ strategy, waves, lost }: Plan): readonly string[] {
  const [first = [], ...others] = waves
  if (first.length === 0) {
    return [
      lost.length > 0 ? 'no node is there to take it up' : 'to every node; none has told anything of this tree yet',
    ]
  }
  if (strategy === undefined) return [`to every node at once: ${listed(first)}`]
  const { soakMs, gateTimeoutMs, samples } = strategy
  const rest = others.map(listed).join(', then ')
  const apart = others.length === 0 ? '' : `, ${soakMs === 0 ? 'at once' : `after ${span(soakMs)} each`}`
  const asked = samples.length === 0 ? '' : `, and answer ${plural(samples.length, 'sample request')},`
  return [
    `${listed(first)} first${rest === '' ? '' : `, then ${rest}`}${apart}`,
    `a node that does not prove it${asked} within ${span(gateTimeoutMs)} stops it: all go back`,
  ]
}

function drainOf({ strategy, drained, proxies, waves }: Plan): readonly string[] {
  if (strategy === undefined || waves.length === 0) return []
  if (drained === 0) return proxies.length === 0 ? ['no proxy is known: nothing is drained'] : ['nothing is drained']
  const who = proxies.length === 1 ? `${proxies.join()} sends` : `${proxies.length} proxies send`
  return [`before a node changes, ${who} its requests for ${plural(drained, 'dataset')} to the others`]
}

function timesOf({ loads, estimateMs }: Plan, changed: number): readonly string[] {
  const known = Object.entries(loads)
  const slowest = known.toSorted(([, a], [, b]) => most(b) - most(a)).slice(0, DATASETS_MAX)
  const lines = slowest.map(([id, times]) => {
    const nodes = Object.entries(times).slice(0, NODES_MAX)
    return `${id} took ${nodes.map(([node, ms]) => `${time(ms)} on ${node}`).join(', ')} the last time`
  })
  const left = known.length - slowest.length
  const unknown = changed > known.length
  return [
    ...lines,
    ...(left > 0 ? [`… and ${left} more; --json has all`] : []),
    ...(estimateMs === undefined
      ? []
      : [`in all ${unknown ? 'at least' : 'about'} ${span(Math.max(1000, estimateMs))}`]),
  ]
}

function frozenOf({ strategy, frozenUntilMs }: Plan, nowMs: number): readonly string[] {
  const { freeze = [] } = strategy ?? {}
  if (frozenUntilMs !== undefined) {
    const until = frozenUntilMs - nowMs > YEARS_MS ? 'for ever: no time is free' : `until ${isoMinute(frozenUntilMs)}`
    return [`frozen now, ${until}`]
  }
  return freeze.length === 0 ? [] : [`no wave begins ${freeze.map(freezeText).join(', ')}`]
}

function isoMinute(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

function most(times: Readonly<Record<string, number>>): number {
  return Math.max(...Object.values(times))
}

/** `0.4 s` where a whole second says too little. */
function time(ms: number): string {
  return ms < 950 ? `${(Math.max(ms, 50) / 1000).toFixed(1)} s` : span(ms)
}

function listed(nodes: readonly string[]): string {
  const more = nodes.length > NODES_MAX ? ` and ${nodes.length - NODES_MAX} more` : ''
  return nodes.slice(0, NODES_MAX).join(', ') + more
}
