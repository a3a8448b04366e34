import { isKnown } from './comparison.ts'
import { type Case, failureOf, isPutOff, type Reason, whyMissing, whyStale } from './failure.ts'
import type { Actual, Desired, Effect } from './model.ts'
import type { Failure, Flagged, FlagKind } from './node-state.ts'

/** What is known of one dataset, and what has to be done for it. */
export type Verdict =
  /** ERDDAP serves it as wanted. `news`: this is not recorded yet. */
  | { readonly is: 'served'; readonly news: boolean }
  /** It is not wanted, and ERDDAP does not serve it. */
  | { readonly is: 'gone' }
  | { readonly is: 'loading' }
  /** Nothing tells. */
  | { readonly is: 'unproved' }
  | { readonly is: 'failed'; readonly failure: Failure; readonly news: boolean }
  /** ERDDAP must be asked to load, or unload, it. */
  | { readonly is: 'to-load'; readonly kind: FlagKind }

/** Waits before the second, third, fourth and every later attempt, in the unit of `retryMs`. */
const BACKOFF = [1, 6, 24, 120] as const
/** After so many attempts a failure is one that others may act on. */
const TRIES = 2

const LOADING: Verdict = { is: 'loading' }
const UNPROVED: Verdict = { is: 'unproved' }
const GONE: Verdict = { is: 'gone' }
const SOFT: Verdict = { is: 'to-load', kind: 'soft' }
/** Also unloads what is in no file, which a soft flag does not. */
const HARD: Verdict = { is: 'to-load', kind: 'hard' }

/**
 * Judges every dataset of the release, and every other one that ERDDAP serves. Pure.
 *
 * A dataset that was flagged counts as served when ERDDAP took the flag, read the file that was written, lists the
 * dataset, and its page shows what changed. Where a page cannot tell the two definitions apart, the load must have ended
 * without breaking off; a dataset that was not served before needs no more than to be served now.
 */
export function judge(all: Case): ReadonlyMap<string, Verdict> {
  const verdicts = new Map<string, Verdict>()
  for (const dataset of all.prepared.datasets.values()) {
    verdicts.set(dataset.id, dataset.active ? judgeActive(all, dataset) : judgeUnwanted(all, dataset.id, dataset))
  }
  const { application } = all.actual
  const listing = application.is === 'up' ? application.listing : undefined
  for (const id of listing?.keys() ?? []) if (!verdicts.has(id)) verdicts.set(id, judgeUnwanted(all, id))
  return verdicts
}

function judgeActive(all: Case, dataset: Desired): Verdict {
  const { application, state, effects } = all.actual
  const flagged = state.flagged.get(dataset.id)
  const asked = flagged?.digest === dataset.digest
  const effect = effects.get(dataset.id)
  if (application.is !== 'up') {
    // ERDDAP honours hard flags as it starts, before it loads: the stored index of the old definition is then not used.
    const useful = application.is === 'unknown' ? all.actual.reading !== undefined : effect === 'hard'
    return asked || effect === undefined || !useful ? UNPROVED : toLoad(effect)
  }
  if (asked) return judgeAsked(all, dataset, flagged)
  if (effect === undefined) return judgeLoaded(all, dataset)
  return effect !== 'hard' && startedOn(all, dataset) ? judgeStarted(all, dataset) : toLoad(effect)
}

/** ERDDAP started after everything that the dataset is made of was written. */
function startedOn({ situation, actual: { sideFiles, application } }: Case, { files }: Desired): boolean {
  const startedAtMs = application.is === 'up' ? (application.status?.startedAtMs ?? 0) : 0
  return situation.startedOnOurs && files.every((path) => (sideFiles.get(path)?.mtimeMs ?? Infinity) <= startedAtMs)
}

function toLoad(effect: Effect): Verdict {
  return effect === 'hard' ? HARD : SOFT
}

/** Nothing changed since it was loaded, or since ERDDAP read it; it may have been dropped since. */
function judgeLoaded(all: Case, dataset: Desired): Verdict {
  const presence = presenceOf(all.actual, dataset)
  if (presence === 'no') return isMissingForNow(all, dataset) ? LOADING : SOFT
  if (presence === 'other') return SOFT
  if (all.actual.state.loaded.has(dataset.id)) {
    const unlisted = all.actual.application.is === 'up' && all.actual.application.listing === undefined
    return unlisted ? UNPROVED : { is: 'served', news: false }
  }
  if (presence === 'unknown') return UNPROVED
  const shown = all.actual.shown.get(dataset.id)
  if (shown === undefined) return LOADING
  const isDoubtful = shown === 'old' || (shown === 'unlike' && !startedOn(all, dataset))
  return isDoubtful ? SOFT : { is: 'served', news: true }
}

/** It changed, but ERDDAP has started since and so read nothing else. */
function judgeStarted(all: Case, dataset: Desired): Verdict {
  const presence = presenceOf(all.actual, dataset)
  if (presence === 'unknown') return UNPROVED
  if (presence === 'no') return isMissingForNow(all, dataset) ? LOADING : SOFT
  const shown = all.actual.shown.get(dataset.id)
  if (shown === undefined) return LOADING
  return shown === 'old' || presence === 'other' ? SOFT : { is: 'served', news: true }
}

function judgeAsked(all: Case, dataset: Desired, flagged: Flagged): Verdict {
  const { situation } = all
  if (isWaiting(all.actual, dataset.id)) return LOADING
  const presence = presenceOf(all.actual, dataset)
  if (isProved(all, dataset, flagged, presence)) return { is: 'served', news: true }
  return judgeUnproved(all, flagged, dataset, () => {
    if (presence === 'unknown') return UNPROVED
    if (presence === 'no')
      return situation.starting || isAwaited(all, dataset.id, flagged) ? LOADING : whyMissing(all, dataset)
    return all.actual.shown.get(dataset.id) === undefined ? LOADING : whyStale(all, 'load')
  })
}

/** Datasets that are off, that stand for removed ones, or (without `dataset`) that are in no file. */
function judgeUnwanted(all: Case, id: string, dataset?: Desired): Verdict {
  const { application, state, reading } = all.actual
  const flagged = state.flagged.get(id)
  const asked = flagged !== undefined && flagged.digest === (dataset?.digest ?? '')
  if (application.is === 'down') return UNPROVED
  if (application.is === 'unknown') {
    return !asked && reading !== undefined && isKnown(id, state) && dataset !== undefined ? SOFT : UNPROVED
  }
  const presence = presenceOf(all.actual, dataset ?? { id, restricted: false })
  if (presence === 'no') return GONE
  if (presence === 'unknown') return isKnown(id, state) ? UNPROVED : GONE
  if (!asked) return dataset === undefined ? HARD : SOFT
  if (isWaiting(all.actual, id)) return LOADING
  return judgeUnproved(all, flagged, dataset, () => whyStale(all, 'unload'))
}

/** The flag was taken and nothing is proved: wait, ask again, or say that it failed, as `ended` finds. */
function judgeUnproved(
  all: Case,
  flagged: Flagged,
  dataset: Desired | undefined,
  ended: () => Verdict | Reason,
): Verdict {
  const { situation, actual, patience } = all
  const failed = (reason: Reason): Verdict => ({
    is: 'failed',
    failure: failureOf(all, flagged, dataset, reason),
    news: true,
  })
  if (flagged.failure?.attempt === flagged.attempts) {
    if (!isDueAgain(all, flagged, flagged.failure)) return { is: 'failed', failure: flagged.failure, news: false }
    // A second hard flag would unload what came up meanwhile, and the index is gone already.
    return dataset === undefined ? HARD : SOFT
  }
  if (!situation.readsOurs) {
    // A load that had read another file came past the dataset and took the flag: once more, this time at rest.
    const rewritten = flagged.atMs < (actual.datasetsXml?.mtimeMs ?? 0)
    if (situation.quiet && (flagged.attempts === 1 || rewritten)) return { is: 'to-load', kind: flagged.kind }
    const busy = actual.application.is === 'up' && actual.application.status?.loading === true
    if (busy || Math.abs(actual.nowMs - flagged.atMs) < patience.flagMs) return LOADING
    return failed({ code: 'LOAD_STALE', message: 'ERDDAP took the flag, and did not read datasets.xml again' })
  }
  if (!situation.quiet) return LOADING
  const end = ended()
  return 'is' in end ? end : failed(end)
}

function isDueAgain(
  { actual, prepared, patience }: Case,
  { attempts, version }: Flagged,
  { code, atMs }: Failure,
): boolean {
  // What stopped ERDDAP may have stood anywhere in the file: another file is another chance.
  if (code === 'LOAD_ABORTED' && version !== prepared.compiled.sha256) return true
  const waitMs = patience.retryMs * (BACKOFF[Math.min(attempts, BACKOFF.length) - 1] ?? 0)
  return Math.abs(actual.nowMs - atMs) >= waitMs
}

function isProved(all: Case, dataset: Desired, flagged: Flagged, presence: Presence): boolean {
  const { situation, actual } = all
  const shown = actual.shown.get(dataset.id)
  if (!situation.readsOurs || presence !== 'yes' || shown === undefined || shown === 'old') return false
  if (shown === 'new') return true
  const wasAway = flagged.wasAbsent || flagged.kind === 'hard'
  if (wasAway && (actual.reading?.mtimeMs ?? 0) >= flagged.atMs) return true
  return situation.quiet && situation.brokenOff === undefined
}

/** `other`: under that id ERDDAP serves a dataset of another type. */
type Presence = 'yes' | 'no' | 'other' | 'unknown'

function presenceOf(actual: Actual, dataset: Pick<Desired, 'id' | 'restricted'> & Partial<Desired>): Presence {
  const { application } = actual
  if (application.is !== 'up' || application.listing === undefined) return 'unknown'
  const shown = actual.shown.get(dataset.id)
  if (shown === 'absent') return 'no'
  const type = application.listing.get(dataset.id)
  if (type !== undefined) return type === '' || dataset.type === undefined || type === dataset.type ? 'yes' : 'other'
  if (!dataset.restricted) return 'no'
  return shown === undefined || shown === 'unreachable' ? 'unknown' : 'yes'
}

/** ERDDAP said that it loads it later, not long ago. */
function isAwaited({ actual, patience }: Case, id: string, { atMs }: Flagged): boolean {
  return isPutOff(actual, id) && Math.abs(actual.nowMs - atMs) < patience.flagMs
}

function isWaiting({ flags }: Actual, id: string): boolean {
  return flags !== undefined && Object.values(flags.set).some((ids) => ids.has(id))
}

/** It may be loading, or ERDDAP has put it off and set a flag for itself. */
function isMissingForNow({ situation, actual }: Case, { id }: Desired): boolean {
  return situation.starting || !situation.quiet || isWaiting(actual, id)
}

/** Whether it is tried again soon, and may have failed for a passing reason. What ERDDAP cannot read stays so. */
export function isUndecided({ code, attempt }: Failure): boolean {
  return code !== 'LOAD_ABORTED' && attempt < TRIES
}
