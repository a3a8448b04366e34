import type { Problem } from '../../../core/problem.ts'
import type { ItemReport, TargetError, TargetReport, TargetState } from '../../../core/target.ts'
import type { Difference } from '../local.ts'
import { unspoken } from '../definition/names.ts'
import type { Actual, Prepared } from './model.ts'
import type { Tried } from './node-state.ts'
import { type PlanOptions, type Situation, situationOf, whyBarred } from './situation.ts'

const WARNINGS_MAX = 20

/**
 * What to tell the cluster. Pure. An item is served when the file on disk is the wanted one and, where it was changed here, GeoServer
 * answers for it; what only this node has is told as a warning, and is no gap in the release.
 */
export function report(prepared: Prepared, actual: Actual, options: PlanOptions): TargetReport {
  const situation = situationOf(prepared, actual, options)
  const items = itemsOf(prepared, actual, situation)
  const states = [...items.values()].map(({ state }) => state)
  const error = errorOf(prepared, actual, options)
  const state = stateOf(actual, situation, states, error)
  const { application } = actual
  const version = 'version' in application ? application.version : undefined
  const retrying = error === undefined && state === 'failed' && isUndecided(items, situation)
  return {
    state,
    staged: prepared.number,
    applied: actual.state.applied,
    served: state === 'in-step' ? prepared.number : application.is === 'up' ? actual.state.served : 0,
    ...(error !== undefined && { error }),
    ...(retrying && { retrying }),
    warnings: warningsOf(prepared, actual, situation, options).slice(0, WARNINGS_MAX),
    ...(version !== undefined && version !== '' && { version }),
    progress: { done: states.filter((each) => each === 'served' || each === 'inactive').length, total: states.length },
    items: Object.fromEntries(items),
  }
}

function stateOf(
  actual: Actual,
  { reload }: Situation,
  states: readonly ItemReport['state'][],
  error: TargetError | undefined,
): TargetState {
  if (actual.application.is === 'down') return 'unproved'
  if (error !== undefined || states.includes('failed')) return 'failed'
  const isOpen = states.includes('loading') || reload !== undefined || !actual.state.met || actual.state.tried.size > 0
  return actual.application.is === 'busy' || isOpen ? 'pending' : 'in-step'
}

function errorOf(prepared: Prepared, actual: Actual, options: PlanOptions): TargetError | undefined {
  const { application } = actual
  if (application.is === 'refused') return application.error
  if (application.is === 'down') {
    const hint = 'Start GeoServer, or correct `url`; what is to change waits until it answers.'
    return { code: 'UNREACHABLE', message: application.why, hint }
  }
  const barred = whyBarred(prepared, actual, options)
  if (barred === undefined) return undefined
  const hint = 'Bring both to one version, or allow it with `versions` if you know that it fits.'
  return { code: 'CATALOG_VERSION', message: barred, hint }
}

function itemsOf(prepared: Prepared, actual: Actual, situation: Situation): ReadonlyMap<string, ItemReport> {
  const { application, state } = actual
  const open = new Map(situation.differences.map((difference) => [difference.key, difference]))
  const items = new Map<string, ItemReport>()
  for (const [key, { path }] of prepared.entries) {
    const difference = open.get(key)
    const failing = situation.failing.get(key)
    if (failing !== undefined) items.set(key, failed(key, path, failing, actual))
    else if (situation.waiting.has(key)) items.set(key, waitingFor(key, path, situation.waiting.get(key) ?? ''))
    else if (difference !== undefined) items.set(key, differing(difference))
    else if (application.is === 'down') items.set(key, { state: 'unproved' })
    else items.set(key, { state: state.tried.has(key) ? 'loading' : 'served' })
  }
  for (const difference of situation.differences) {
    if (difference.desired !== undefined || difference.decision.do === 'report') continue
    const failing = situation.failing.get(difference.key)
    const item =
      failing === undefined ? differing(difference) : failed(difference.key, difference.path, failing, actual)
    items.set(difference.key, item)
  }
  // What GeoServer has in its memory only is in neither.
  for (const [key, failing] of situation.failing) {
    if (!items.has(key)) items.set(key, failed(key, key, failing, actual))
  }
  return items
}

function waitingFor(key: string, file: string, data: string): ItemReport {
  const message = `it waits for ${data}, which has not come here yet`
  const hint = 'It comes with the tree that `dataTree` names: `flotilla status --tree` tells how far that is.'
  return {
    state: 'loading',
    problem: { severity: 'warning', code: 'DATA_MISSING', file, message, hint, dataset: key },
  }
}

function differing({ key, path, decision }: Difference): ItemReport {
  if (decision.do === 'apply' || decision.do === 'propose') return { state: 'loading' }
  if (decision.do === 'report') return { state: 'inactive' }
  const message = 'it was changed both here and by a release since they last agreed'
  const hint = `\`flotilla catalog diff\` shows both; decide with \`flotilla catalog adopt ${key}\` or \`revert ${key}\`.`
  return {
    state: 'failed',
    problem: { severity: 'error', code: 'CATALOG_CONFLICT', file: path, message, hint, dataset: key },
  }
}

function failed(key: string, file: string, { problem }: Tried, { lacks }: Actual): ItemReport {
  const { message, hint } = problem ?? { message: '', hint: '' }
  const missing = lacks.length === 0 ? '' : ` This node lacks modules of the source: ${lacks.join(', ')}.`
  const told = `${hint}${missing}`
  return {
    state: 'failed',
    problem: { severity: 'error', code: 'CATALOG_REFUSED', file, message, hint: told, dataset: key },
  }
}

/** Nobody should act yet on what was refused once. */
function isUndecided(items: ReadonlyMap<string, ItemReport>, { failing }: Situation): boolean {
  const bad = [...items].filter(([, { state }]) => state === 'failed')
  return bad.every(([key]) => failing.get(key)?.way === 'live' && (failing.get(key)?.tries ?? 0) < 2)
}

function warningsOf(prepared: Prepared, actual: Actual, situation: Situation, options: PlanOptions): Problem[] {
  const waits = waiting(situation, options)
  const stale = [...actual.state.stale].map(([layer, { message }]) => staleTiles(layer, message, prepared))
  const told = situation.differences.filter(({ decision }) => decision.do === 'report').map(foreign)
  return [
    ...(waits === undefined ? [] : [waits]),
    ...stale,
    ...actual.tree.catalog.problems,
    ...prepared.warnings,
    ...told,
  ]
}

function waiting({ reload, mayReload }: Situation, options: PlanOptions): Problem | undefined {
  if (reload === undefined || mayReload) return undefined
  const message =
    options.reload === 'never'
      ? `GeoServer must read its catalog anew, which \`reload: never\` forbids: ${reload}`
      : `GeoServer must read its catalog anew, and waits until no proxy sends clients here: ${reload}`
  const hint = 'Type: flotilla catalog reload. It drains and reloads one node after the other.'
  return { severity: 'warning', code: 'CATALOG_RELOAD', file: 'global.xml', message, hint }
}

function staleTiles(layer: string, said: string, { entries }: Prepared): Problem {
  const name = unspoken(layer)
  const key = [`layer/${name}`, `layergroup/${name}`].find((each) => entries.has(each)) ?? `layer/${name}`
  const message = `tiles of ${layer} may be out of date: ${said}`
  const hint = `It is tried again by itself. Until then, empty its tiles on the page Tile Layers of GeoServer, whose log says why.`
  return {
    severity: 'warning',
    code: 'CATALOG_TILES',
    file: entries.get(key)?.path ?? 'global.xml',
    message,
    hint,
    dataset: key,
  }
}

function foreign({ key, path, local }: Difference): Problem {
  const message =
    local === undefined ? `${key} was deleted on this node` : `${key} is this node’s own, and in no release`
  const hint = `Keep it with \`flotilla catalog adopt ${key}\`, or undo it with \`flotilla catalog revert ${key}\`.`
  return { severity: 'warning', code: 'CATALOG_FOREIGN', file: path, message, hint, dataset: key }
}
