import type { CatalogEntry } from '../definition/model.ts'
import type { Difference } from '../local.ts'
import { minorOf } from '../rest/about.ts'
import { differencesOf, policies, type PolicyOptions } from './differences.ts'
import type { Actual, Change, Prepared } from './model.ts'
import type { Tried } from './node-state.ts'
import { wantedRequests, type WantedRequests } from './requests.ts'
import { wayOf } from './ways.ts'

export interface PlanOptions extends PolicyOptions {
  /** More objects than that are not changed one by one. */
  readonly reloadAbove: number
  readonly reload: 'drained' | 'always' | 'never'
  /** How long after a refusal the same is tried a second time. */
  readonly retryMs: number
  /** Versions of GeoServer, as `2.26`, whose releases this node takes besides those of its own. */
  readonly versions: readonly string[]
}

/** What follows from what is there, for `plan` and `report` alike. */
export interface Situation {
  readonly differences: readonly Difference[]
  /** What can be tried now, and what was refused a moment ago. */
  readonly due: readonly Change[]
  /** What waits for data, with what needs it; by key, which data. */
  readonly waiting: ReadonlyMap<string, string>
  readonly failing: ReadonlyMap<string, Tried>
  /** Layers whose tiles GeoServer did not give up, and may by now. */
  readonly truncateAgain: readonly string[]
  /** Whether GeoServer must read everything anew, and why in words; undefined where not. */
  readonly reload: string | undefined
  readonly mayReload: boolean
  /** More objects are due than are changed one by one. */
  readonly isTooMuch: boolean
  readonly requests: WantedRequests
}

export function situationOf(prepared: Prepared, actual: Actual, options: PlanOptions): Situation {
  const { state, entries } = actual
  const differences = differencesOf(entries, prepared.entries, state, policies(options))
  const changes = differences
    .filter(({ decision }) => decision.do === 'apply')
    .map(({ key, desired, local }): Change => ({ key, desired, local }))
  const failing = failingOf(actual, prepared, options.retryMs)
  const waiting = withDependents(actual.waits, changes)
  const due = changes.filter(({ key }) => !failing.has(key) && !waiting.has(key))
  const requests = wantedRequests(prepared, state)
  const objects = due.filter(({ desired, local }) => isObject(desired ?? local)).length
  return {
    differences,
    due,
    waiting,
    failing,
    truncateAgain: [...state.stale].flatMap(([layer, one]) =>
      isDue(one, actual.nowMs, options.retryMs) ? [layer] : [],
    ),
    reload: whyReload({ due, requests, objects }, { prepared, actual, options }),
    isTooMuch: objects > options.reloadAbove,
    mayReload: options.reload === 'always' || (options.reload === 'drained' && actual.traffic !== 'open'),
    requests,
  }
}

function withDependents(waits: ReadonlyMap<string, string>, changes: readonly Change[]): ReadonlyMap<string, string> {
  if (waits.size === 0) return waits
  const waiting = new Map(waits)
  for (let size = 0; size < waiting.size;) {
    size = waiting.size
    for (const { key, desired } of changes) {
      const need = desired?.needs.find((each) => waiting.has(each))
      if (need !== undefined && !waiting.has(key)) waiting.set(key, waiting.get(need) ?? '')
    }
  }
  return waiting
}

/** How much longer than the last time to wait: 5 s, 30 s, 2 min, then every 10 min, as `retryMs` is. */
const GROWTH = [1, 6, 24, 120] as const

function isDue({ tries, atMs }: Pick<Tried, 'tries' | 'atMs'>, nowMs: number, retryMs: number): boolean {
  const growth = GROWTH[Math.min(tries, GROWTH.length) - 1] ?? 1
  const waited = nowMs - atMs
  // The clock may have been set meanwhile.
  return waited < 0 || waited >= retryMs * growth
}

/** Refused, and not to be tried again yet. What a reload did not bring is not tried again by itself: each costs an outage. */
function failingOf(
  { state, nowMs, agrees }: Actual,
  { entries }: Prepared,
  retryMs: number,
): ReadonlyMap<string, Tried> {
  const failing = new Map<string, Tried>()
  for (const [key, tried] of state.tried) {
    if (tried.problem === undefined || tried.desired !== (entries.get(key)?.digest ?? '')) continue
    // Where only GeoServer's memory is another one there is nothing to try.
    const isPlaced = agrees.get(key) === false
    if (tried.way === 'reload' || isPlaced || !isDue(tried, nowMs, retryMs)) failing.set(key, tried)
  }
  return failing
}

interface Case {
  readonly prepared: Prepared
  readonly actual: Actual
  readonly options: PlanOptions
}

function whyReload(
  { due, requests, objects }: Pick<Situation, 'due' | 'requests'> & { readonly objects: number },
  { prepared, actual, options }: Case,
): string | undefined {
  const { state, entries } = actual
  if (state.owed.reload) return 'a reload was begun and may not have been carried out'
  if (requests.reloads.length > 0) return 'it was asked for'
  if (objects > options.reloadAbove) return `${objects} objects differ, more than \`reloadAbove\``
  const only = due.filter((change) => wayOf(change, { prepared, entries, state }) === 'reload')
  const [first] = only
  if (first === undefined) return undefined
  const more = only.length === 1 ? '' : ` and ${only.length - 1} more`
  return `nothing else brings ${first.key}${more} into force`
}

function isObject(entry: CatalogEntry | undefined): boolean {
  return entry?.class === 'object' || entry?.class === 'tile-layer'
}

/** Why nothing of the release can be done on a node with that GeoServer; undefined where it can. */
export function whyBarred({ gate }: Prepared, { application }: Actual, { versions }: PlanOptions): string | undefined {
  if (gate === undefined || application.is !== 'up') return undefined
  const [theirs, ours] = [minorOf(gate.geoserver), minorOf(application.version)]
  if (theirs === ours || versions.includes(theirs)) return undefined
  return `the release comes from GeoServer ${gate.geoserver}, and this one is ${application.version}`
}
