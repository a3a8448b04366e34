import type { Clock } from '../../../core/clock.ts'
import type { Op } from '../../../core/op.ts'
import type { PolicyOf } from './differences.ts'
import type { DataDirectory } from '../directory/data-directory.ts'
import type { GeoServerClient } from '../rest/client.ts'
import { reloadCatalog, reloadTileConfig, resetCaches, truncateTiles } from '../rest/orders.ts'
import { changeOne } from './change.ts'
import type { KeptVersions } from './kept.ts'
import type { Actual, Change, Prepared, Step, Work } from './model.ts'
import { type Decided, type NodeState, NOTHING_OWED, type Tried } from './node-state.ts'
import { withOutcome } from './outcome.ts'
import { together } from './plan.ts'

/** What a step is carried out with. */
export interface ApplyParts {
  readonly client: GeoServerClient
  readonly directory: DataDirectory
  readonly kept: KeptVersions
  readonly clock: Clock
  readonly reloadMs: number
  readonly takeOver: boolean
  readonly policyOf: PolicyOf
  /** The state as it is on disk. */
  readonly state: () => NodeState
  /** Changes the state as it is at that moment; durable when it resolves. */
  readonly change: (how: (state: NodeState) => NodeState) => Promise<void>
}

/** Carries out one step. Every step may be cut short anywhere, and is then planned and carried out again. */
export async function apply(step: Step, parts: ApplyParts, op: Op): Promise<void> {
  switch (step.step) {
    case 'meet':
      return await parts.change((state) => metWith(step.prepared, step.actual, state, parts))
    case 'begin':
      return await begin(step, parts, op)
    case 'change':
      return await changing(step, parts, op)
    case 'reload':
      return await reload(step, parts, op)
    case 'settle':
      return await settle(step.again, parts, op)
    case 'record':
      return await parts.change((state) => withOutcome(state, step.outcome))
  }
}

/**
 * What differs goes the release's way, and is kept; but where the node's own is to be told only, it stays, and so it does where the release
 * is of this very node.
 */
function metWith(
  { entries: desired }: Prepared,
  { entries }: Actual,
  before: NodeState,
  { policyOf, takeOver }: ApplyParts,
): NodeState {
  const { offered } = before
  // What it has besides was made since.
  const isFounder = offered.size > 0
  const [base, found, verdicts] = [new Map<string, string>(), new Set<string>(), new Map<string, Decided>()]
  for (const [key, { digest, path }] of entries) {
    const wanted = desired.get(key)?.digest
    if (wanted === undefined) {
      if (!takeOver && !isFounder) found.add(key)
    } else if (wanted === digest || policyOf(path) === 'report' || offered.get(key)?.includes(wanted) === true)
      base.set(key, wanted)
    else verdicts.set(key, { verdict: 'revert', local: digest, desired: wanted })
  }
  return { ...before, met: true, base, found, verdicts }
}

interface Begin {
  readonly prepared: Prepared
  readonly actual: Actual
  readonly work: Work
}

async function begin({ prepared, actual, work }: Begin, parts: ApplyParts, op: Op): Promise<void> {
  const { state, change, kept, clock } = parts
  const atMs = clock.nowMs()
  const before = state().kept
  const versions = work.keeps.flatMap(({ local: entry }) => {
    return entry === undefined ? [] : [{ entry, read: async () => await actual.tree.read(entry.path, op) }]
  })
  const list = await kept.keep(versions, { list: before, release: prepared.number, atMs })
  await change((now) => {
    const tried = new Map(now.tried)
    for (const one of work.changes) tried.set(one.key, trying(one, work.way, tried.get(one.key), atMs))
    for (const key of work.besides) tried.set(key, { desired: '', before: '', way: work.way, tries: 1, atMs })
    const done = work.done.map(({ request, ...what }) => [request, what] as const)
    return {
      ...now,
      tried,
      owed: together(now.owed, work.owed),
      kept: list,
      requests: new Map([...now.requests, ...done]),
    }
  })
  kept.tidy(before, list)
}

function trying({ desired, local }: Change, way: Work['way'], last: Tried | undefined, atMs: number): Tried {
  const wanted = desired?.digest ?? ''
  const isAgain = last?.desired === wanted && last.problem !== undefined
  return { desired: wanted, before: local?.digest ?? '', way, tries: isAgain ? last.tries + 1 : 1, atMs }
}

async function changing(
  { prepared, actual, change: one }: { prepared: Prepared; actual: Actual; change: Change },
  parts: ApplyParts,
  op: Op,
): Promise<void> {
  await keepNow([one], prepared, parts)
  const problem = await changeOne({ prepared, actual, change: one, state: parts.state() }, parts, op)
  if (problem === undefined) return
  await parts.change((state) => {
    const before = state.tried.get(one.key)
    return before === undefined
      ? state
      : { ...state, tried: new Map([...state.tried, [one.key, { ...before, problem }]]) }
  })
}

/** Made by GeoServer itself with a workspace or a feature type, perhaps a moment ago by our own work. */
const MADE_BESIDES = /^(?:namespace|layer)\//

/** Somebody may have made or changed it since the look that the work was planned by: that is kept as well. */
async function keepNow(changes: readonly Change[], { number }: Prepared, parts: ApplyParts): Promise<void> {
  const { directory, kept, clock, state, change } = parts
  const versions = changes.flatMap(({ key, local, desired }) => {
    const place = local ?? (MADE_BESIDES.test(key) ? undefined : desired)
    const now = place === undefined ? undefined : directory.now(place)
    // GeoServer itself writes the tile layer of a layer that is changed.
    const isNews = now?.entry.class !== 'tile-layer' && now?.entry.digest !== local?.digest
    if (now === undefined || !isNews || now.entry.digest === desired?.digest) return []
    return [{ entry: now.entry, read: () => now.bytes }]
  })
  if (versions.length === 0) return
  const before = state().kept
  const list = await kept.keep(versions, { list: before, release: number, atMs: clock.nowMs() })
  await change((now) => ({ ...now, kept: list }))
  kept.tidy(before, list)
}

async function reload(
  { prepared, changes }: { prepared: Prepared; changes: readonly Change[] },
  parts: ApplyParts,
  op: Op,
): Promise<void> {
  const { client, directory, reloadMs, change } = parts
  await keepNow(changes, prepared, parts)
  await directory.placeAll(changes, prepared.tree, op)
  await reloadCatalog(client, reloadMs, op)
  await change((state) => ({ ...state, owed: { ...state.owed, reload: false } }))
}

/** Tells GeoServer what it is owed, but for a reload; then everything that was begun is done. Tiles that it does not give up wait. */
async function settle(again: readonly string[], { client, state, change, clock }: ApplyParts, op: Op): Promise<void> {
  const { owed } = state()
  if (owed.reset) await resetCaches(client, op)
  if (owed.tileConfig) await reloadTileConfig(client, op)
  const layers = new Set([...owed.truncate, ...again])
  const refused = new Map<string, string>()
  for (const layer of layers) {
    const message = await truncateTiles(client, layer, op)
    if (message !== undefined) refused.set(layer, message)
  }
  const atMs = clock.nowMs()
  await change((now) => {
    const stale = new Map([...now.stale].filter(([layer]) => !layers.has(layer)))
    for (const [layer, message] of refused)
      stale.set(layer, { tries: (now.stale.get(layer)?.tries ?? 0) + 1, atMs, message })
    const tried = [...now.tried].map(([key, one]): [string, Tried] => [key, { ...one, done: true }])
    return { ...now, owed: { ...NOTHING_OWED, reload: now.owed.reload }, stale, tried: new Map(tried) }
  })
}
