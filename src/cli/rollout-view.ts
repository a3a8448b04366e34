import type { RolloutAnswer, RolloutView } from '../core/api-rollout.ts'
import type { ExitCode } from '../core/errors.ts'
import type { NodeProgress, Phase, Strategy } from '../core/rollout.ts'
import { isUnderWay, PHASES, subjectOf } from '../core/rollout-words.ts'
import { clean } from '../lib/clean.ts'
import { ago, plural, span } from './format.ts'
import { type Cell, type Colour, type Output, table } from './output.ts'
import { freezeText } from './strategy.ts'

/** 0 done, 4 taken back by a gate, 1 aborted by somebody, 3 under way. */
export function exitOfRollout({ state }: Pick<RolloutView, 'state'>): ExitCode {
  if (state === 'done') return 0
  return state === 'rolled-back' ? 4 : state === 'aborted' ? 1 : 3
}

export function colourOf({ state }: Pick<RolloutView, 'state'>): Colour {
  return state === 'done' ? 'green' : state === 'running' ? 'yellow' : 'red'
}

/** The whole page of `flotilla rollout`. */
export function printRollout({ rollout, summary, next }: RolloutAnswer, nowMs: number, output: Output): void {
  if (rollout === undefined) {
    output.print(clean(summary))
    return
  }
  output.print(output.paint(colourOf(rollout), clean(summary)))
  output.print(output.paint('dim', clean(headOf(rollout, nowMs))))
  output.print(output.paint('dim', strategyText(rollout.strategy)))
  if (isUnderWay(rollout) && rollout.requests === undefined) {
    const seen = rollout.exposed ? rollout.release : rollout.from.release
    output.print(output.paint('dim', `clients see r${seen}`))
  }
  output.print()
  const waves = waveOf(rollout)
  const rows = rollout.order.map((node) => rowOf(node, waves.get(node) ?? 0, rollout.nodes[node], nowMs))
  table(output, ['NODE', 'WAVE', 'STATE', 'SINCE'], rows)
  if (next !== undefined) output.print(`\nnext: ${clean(next)}`)
}

/** `r12 by anna, 20 s ago, from r11: 1 soft reload`. */
function headOf(rollout: RolloutView, nowMs: number): string {
  const { author, startedAtMs, from, counts, requests } = rollout
  const parts = [
    [counts.added, 'new', 'new'],
    [counts.removed, 'removed', 'removed'],
    [counts.soft, 'soft reload', 'soft reloads'],
    [counts.hard, 'hard reload', 'hard reloads'],
  ] as const
  const told = parts.filter(([count]) => count > 0).map(([count, one, many]) => plural(count, one, many))
  const source = requests === undefined ? `, from r${from.release}` : ''
  const what = told.length === 0 ? '' : `: ${told.join(', ')}`
  return `${subjectOf(rollout)} by ${author}, ${ago(startedAtMs, nowMs)}${source}${what}`
}

/** `1 node first, then 2 at a time, 30 s apart; each has 10 min; drained where something unloads`. */
export function strategyText(strategy: Strategy): string {
  const { canary, wave, soakMs, gateTimeoutMs, drain, maxUnavailable, failedMax, samples, freeze } = strategy
  const drained = { auto: 'drained where it must be', always: 'drained', never: 'never drained' }[drain]
  return [
    `${plural(canary, 'node')} first, then ${wave} at a time, ${soakMs === 0 ? 'at once' : `${span(soakMs)} apart`}`,
    `each has ${span(gateTimeoutMs)}`,
    `${drained}, a dataset away on at most ${plural(maxUnavailable, 'node')}`,
    ...(failedMax === 0 ? [] : [`at most ${plural(failedMax, 'dataset')} failed`]),
    ...(samples.length === 0 ? [] : [plural(samples.length, 'sample request')]),
    ...(freeze.length === 0 ? [] : [`frozen ${freeze.map(freezeText).join(', ')}`]),
  ].join('; ')
}

/** From 1 on, by node. */
function waveOf({ order, strategy }: RolloutView): ReadonlyMap<string, number> {
  const { canary, wave } = strategy
  return new Map(order.map((node, index) => [node, index < canary ? 1 : 2 + Math.floor((index - canary) / wave)]))
}

const SIGNS: Readonly<Record<Phase, readonly [string, Colour]>> = {
  waiting: ['-', 'dim'],
  draining: ['…', 'yellow'],
  applying: ['…', 'yellow'],
  proved: ['✓', 'green'],
  done: ['✓', 'green'],
  failed: ['✗', 'red'],
  reverting: ['…', 'yellow'],
  reverted: ['✓', 'dim'],
}

function rowOf(node: string, wave: number, progress: NodeProgress | undefined, nowMs: number): Cell[] {
  const phase = progress?.phase ?? 'waiting'
  const [sign, colour] = SIGNS[phase]
  const since = progress === undefined || phase === 'waiting' ? '' : span(Math.max(0, nowMs - progress.sinceMs))
  return [node, String(wave), { text: `${sign} ${PHASES[phase]}`, colour }, since]
}

/** What each node came to since `before`, a line each: `erd1 proves it, after 12 s`. That it is done adds nothing to that. */
export function newsOf(rollout: RolloutView, before: RolloutView | undefined): readonly string[] {
  return rollout.order.flatMap((node) => {
    const [now, then] = [rollout.nodes[node], before?.nodes[node]]
    if (now === undefined || now.phase === 'waiting') return []
    const [phase, earlier] = [seenAs(now.phase), seenAs(then?.phase ?? 'waiting')]
    if (phase === earlier) return []
    const passedMs = then === undefined || earlier === 'waiting' ? 0 : now.sinceMs - then.sinceMs
    return [`${node} ${PHASES[phase]}${passedMs >= 1000 ? `, after ${span(passedMs)}` : ''}`]
  })
}

function seenAs(phase: Phase): Phase {
  return phase === 'done' ? 'proved' : phase
}
