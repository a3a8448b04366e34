import type { CatalogEntry, FileClass } from '../definition/model.ts'
import { creationOrder, deletionOrder } from '../definition/order.ts'
import type { Actual, Change, Done, Prepared, Step, Work } from './model.ts'
import { type NodeState, NOTHING_OWED, type Owed } from './node-state.ts'
import { isNews, outcomeOf } from './outcome.ts'
import { type PlanOptions, type Situation, situationOf, whyBarred } from './situation.ts'
import { staleLayers } from './tiles.ts'
import { wayOf } from './ways.ts'

/**
 * What can be done now, in order. Pure.
 *
 * First what became certain, then one piece of work: it is noted as a whole, done change by change or by one reload, and ends with what
 * GeoServer must be told of it. What must wait, for a drain or after a refusal, is left out.
 */
export function plan(prepared: Prepared, actual: Actual, options: PlanOptions): readonly Step[] {
  const { state, application } = actual
  if (application.is !== 'up' || whyBarred(prepared, actual, options) !== undefined) return []
  if (!state.met) return [{ step: 'meet', prepared, actual }]
  const situation = situationOf(prepared, actual, options)
  const outcome = outcomeOf(prepared, actual, situation)
  if (isNews(outcome, state)) return [{ step: 'record', outcome }]
  const all = { prepared, actual, situation }
  if (situation.reload !== undefined && situation.mayReload) return reloading(all)
  const live = liveChanges(all)
  const { owed, done } = askedFor(situation)
  if (live.length > 0 || done.length > 0) return working(all, live, owed, done)
  const again = situation.truncateAgain
  return isUnsettled(state) || again.length > 0 ? [{ step: 'settle', again }] : []
}

interface All {
  readonly prepared: Prepared
  readonly actual: Actual
  readonly situation: Situation
}

/** Where too many differ nothing is done one by one; what only a reload brings does not hold up the rest. */
function liveChanges({ prepared, actual, situation }: All): readonly Change[] {
  const { due, isTooMuch } = situation
  if (isTooMuch) return []
  const ground = { prepared, entries: actual.entries, state: actual.state }
  const changes = inOrder(due.filter((change) => wayOf(change, ground) !== 'reload'))
  const isBody = (change: Change): boolean => wayOf(change, ground) === 'body'
  // With what a style says GeoServer notes in the style which language that is.
  return [...changes.filter((change) => !isBody(change)), ...changes.filter(isBody)]
}

function working(all: All, changes: readonly Change[], asked: Owed, done: readonly Done[]): readonly Step[] {
  const { prepared, actual } = all
  const owed = together(asked, owedFor(changes, all))
  const work: Work = {
    way: 'live',
    changes,
    keeps: keepsOf(changes, all),
    owed,
    besides: besidesOf(changes, all),
    done,
  }
  return [
    { step: 'begin', prepared, actual, work },
    ...changes.map((change): Step => ({ step: 'change', prepared, actual, change })),
    { step: 'settle', again: [] },
  ]
}

/** Everything that is due, and what an earlier reload did not bring: whoever asks for a reload means that too. */
function reloading(all: All): readonly Step[] {
  const { prepared, actual, situation } = all
  const { differences, due, failing, requests } = situation
  const again = differences.filter(({ key, decision }) => decision.do === 'apply' && failing.get(key)?.way === 'reload')
  const changes = inOrder([...due, ...again])
  const stale = staleLayers(entriesOf(changes), actual.entries)
  const tileConfig = has(changes, 'tile-config')
  const owed: Owed = { reload: true, reset: false, tileConfig, truncate: stale }
  const work: Work = { way: 'reload', changes, keeps: keepsOf(changes, all), owed, besides: [], done: requests.reloads }
  return [
    { step: 'begin', prepared, actual, work },
    { step: 'reload', prepared, actual, changes },
    { step: 'settle', again: [] },
  ]
}

function keepsOf(changes: readonly Change[], { situation }: All): Work['keeps'] {
  const keys = new Set(changes.map(({ key }) => key))
  return situation.differences.filter(({ key, decision }) => keys.has(key) && decision.do === 'apply' && decision.keep)
}

/** What goes, goes last: something may refer to it until others are changed. */
function inOrder(changes: readonly Change[]): readonly Change[] {
  const made = changes.flatMap((change) => (change.desired === undefined ? [] : [{ ...change.desired, change }]))
  const gone = changes.flatMap((change) =>
    change.desired === undefined && change.local !== undefined ? [{ ...change.local, change }] : [],
  )
  return [...creationOrder(made), ...deletionOrder(gone)].map(({ change }) => change)
}

/** What GeoServer must be told once these are placed. Over REST it finds out by itself which tiles are out of date. */
function owedFor(changes: readonly Change[], { prepared, actual }: All): Owed {
  const ground = { prepared, entries: actual.entries, state: actual.state }
  const placed = entriesOf(changes.filter((change) => wayOf(change, ground) === 'place'))
  const drawn = placed.filter((entry) => DRAWN.has(entry.class))
  return {
    reload: false,
    reset: placed.some((entry) => entry.class === 'graphic' || entry.class === 'reset-file'),
    tileConfig: placed.some((entry) => entry.class === 'tile-config'),
    truncate: drawn.length === 0 ? [] : staleLayers(drawn, actual.entries),
  }
}

const DRAWN: ReadonlySet<FileClass> = new Set(['graphic', 'template', 'style-body'])

function askedFor({ requests }: Situation): { readonly owed: Owed; readonly done: readonly Done[] } {
  const { resets, truncates } = requests
  return {
    owed: { ...NOTHING_OWED, reset: resets.length > 0, truncate: truncates.layers },
    done: [...resets, ...truncates.done],
  }
}

export function together(a: Owed, b: Owed): Owed {
  return {
    reload: a.reload || b.reload,
    reset: a.reset || b.reset,
    tileConfig: a.tileConfig || b.tileConfig,
    truncate: [...new Set([...a.truncate, ...b.truncate])],
  }
}

/** Work that a crash, or a GeoServer that went away, cut short before its last step. */
function isUnsettled({ owed, tried }: NodeState): boolean {
  const { reset, tileConfig, truncate } = owed
  if (reset || tileConfig || truncate.length > 0) return true
  return !owed.reload && [...tried.values()].some(({ done, problem }) => done !== true && problem === undefined)
}

/** A feature type comes with a layer, a layer and a group with tiles, a workspace with a namespace. Wanted ones are changed in turn. */
function besidesOf(changes: readonly Change[], { prepared, actual }: All): readonly string[] {
  return changes
    .filter(({ desired, local }) => desired !== undefined && local === undefined)
    .flatMap(({ key }) => {
      const [kind = ''] = key.split('/', 1)
      const name = key.slice(kind.length + 1)
      return (MADE_BESIDES[kind] ?? []).map((other) => `${other}/${name}`)
    })
    .filter((key) => !prepared.entries.has(key) && !actual.entries.has(key))
}

const MADE_BESIDES: Readonly<Record<string, readonly string[]>> = {
  workspace: ['namespace'],
  featuretype: ['layer', 'tile-layer'],
  coverage: ['layer', 'tile-layer'],
  wmslayer: ['layer', 'tile-layer'],
  wmtslayer: ['layer', 'tile-layer'],
  layergroup: ['tile-layer'],
}

function entriesOf(changes: readonly Change[]): readonly CatalogEntry[] {
  return changes.flatMap(({ desired, local }) => desired ?? local ?? [])
}

function has(changes: readonly Change[], kind: FileClass): boolean {
  return entriesOf(changes).some((entry) => entry.class === kind)
}
