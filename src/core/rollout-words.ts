import type { Outcome, RolloutView } from './api-rollout.ts'
import type { Phase, Rollout, RolloutReason, RolloutState } from './rollout.ts'

/* What people are told of rollouts, in the same words by the hub and by every command. */

/** Whether nothing else may change the tree now. */
export function isUnderWay({ state }: Pick<Rollout, 'state'>): boolean {
  return state === 'running' || state === 'paused' || state === 'reverting'
}

export function viewOf({ effects, ...rollout }: Rollout): RolloutView {
  const counts = { added: 0, removed: 0, soft: 0, hard: 0 }
  for (const effect of Object.values(effects)) counts[effect] += 1
  return { ...rollout, counts }
}

export function outcomeOf({ state, startedAtMs, endedAtMs, reason }: Omit<Rollout, 'effects'>): Outcome {
  return { state, atMs: endedAtMs ?? startedAtMs, ...(reason !== undefined && { reason }) }
}

/** `r12`, or what every node is to do once more: `hard reload of coastBuoys`. */
export function subjectOf({ release, requests = [] }: Pick<Rollout, 'release' | 'requests'>): string {
  const [first] = requests
  if (first === undefined) return `r${release}`
  const what = first.kind === 'reload' ? `${first.flag ?? 'soft'} reload` : 'cleared cache'
  const more = requests.length > 1 ? ` and ${requests.length - 1} more` : ''
  return `${what} of ${first.item === '*' ? 'every dataset' : first.item}${more}`
}

/** `node erd1, coastBuoys, buoys/a.xml:7: what is wrong`. */
export function reasonText({ node, item, file, line, message }: RolloutReason): string {
  const place = file === undefined || file === '' ? undefined : line === undefined ? file : `${file}:${line}`
  const where = [node === undefined ? undefined : `node ${node}`, item, place].filter((part) => part !== undefined)
  return where.length === 0 ? message : `${where.join(', ')}: ${message}`
}

/** `taken back: node erd1, …`, `on its way`. */
export function outcomeText({ state, reason }: Outcome): string {
  const words = { 'rolled-back': 'taken back', aborted: 'aborted', reverting: 'is being taken back', done: 'served' }
  if (state === 'running' || state === 'paused') return 'on its way'
  if (state === 'aborted' && reason?.code === 'ABORTED') return reason.message
  return reason === undefined ? words[state] : `${words[state]}: ${reasonText(reason)}`
}

const HEADS: Readonly<Record<RolloutState, string>> = {
  running: 'ROLLING OUT',
  paused: 'PAUSED',
  reverting: 'TAKING BACK',
  done: 'ROLLED OUT',
  'rolled-back': 'TAKEN BACK',
  aborted: 'ABORTED',
}

export const PHASES: Readonly<Record<Phase, string>> = {
  waiting: 'waits',
  draining: 'is being drained',
  applying: 'takes it up',
  proved: 'proves it',
  done: 'done',
  failed: 'failed',
  reverting: 'goes back',
  reverted: 'is back',
}

const BUSY: ReadonlySet<Phase> = new Set(['draining', 'applying', 'reverting', 'failed'])
const PROVED: ReadonlySet<Phase> = new Set(['proved', 'done'])

/** One sentence: `ROLLING OUT r12, 1/3 nodes prove it; erd2 takes it up`. */
export function rolloutSummary(rollout: Omit<Rollout, 'effects'>): string {
  const { state, order, nodes, reason } = rollout
  const head = `${HEADS[state]} ${subjectOf(rollout)}`
  if (state === 'done') return head
  if (state === 'rolled-back' || state === 'aborted') {
    if (reason?.code === 'ABORTED') return `${head} ${reason.message.replace(/^aborted /, '')}`
    return reason === undefined ? head : `${head}: ${reasonText(reason)}`
  }
  const phases = order.flatMap((node) => (nodes[node] === undefined ? [] : [{ node, phase: nodes[node].phase }]))
  const count = `${phases.filter(({ phase }) => PROVED.has(phase)).length}/${order.length} nodes prove it`
  const busy = phases.filter(({ phase }) => BUSY.has(phase)).map(({ node, phase }) => `${node} ${PHASES[phase]}`)
  const why = reason === undefined ? [] : [reasonText(reason)]
  return [state === 'reverting' ? head : `${head}, ${count}`, ...busy.slice(0, BUSY_MAX), ...why].join('; ')
}

const BUSY_MAX = 3
