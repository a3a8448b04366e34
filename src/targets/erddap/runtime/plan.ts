import type { Case } from './failure.ts'
import { judge, type Verdict } from './judge.ts'
import type { Actual, Flag, Load, Outcome, Prepared, Step } from './model.ts'
import type { FlagKind } from './node-state.ts'
import { type Reload, wantedRequests, type WantedRequests } from './requests.ts'
import { situationOf, type Patience } from './situation.ts'

type Verdicts = ReadonlyMap<string, Verdict>

/** The order of batches, which is also ERDDAP's own order of looking at its folders. */
const KINDS = ['hard', 'soft', 'bad-files'] as const satisfies readonly FlagKind[]

/**
 * What can be done now, in order. Pure.
 *
 * Flags are planned only when datasets.xml is the wanted one and nothing is under way, and of one kind only, also counting
 * those that others set: ERDDAP starts a load for each flag folder that is not empty without waiting for the one before.
 * What has to wait is left out.
 */
export function plan(prepared: Prepared, actual: Actual, patience: Patience): readonly Step[] {
  const situation = situationOf(prepared, actual, patience)
  const steps: Step[] = []
  const { reading } = actual
  if (reading !== undefined && reading.sha256 !== actual.state.read) {
    steps.push({ step: 'learn', prepared, read: reading.sha256 })
  }
  const paths = [...prepared.sideFiles].filter(([path, sha256]) => actual.sideFiles.get(path)?.sha256 !== sha256)
  if (paths.length > 0) steps.push({ step: 'side-files', prepared, paths: paths.map(([path]) => path) })
  if (!situation.written) steps.push({ step: 'write', prepared })
  // What is known changes with these; the rest comes with the next look.
  if (steps.length > 0) return steps
  const verdicts = judge({ prepared, actual, situation, patience })
  const requests = wantedRequests(prepared, actual)
  const outcome = outcomeOf({ prepared, actual, situation, patience }, verdicts, requests.needless)
  if (isNews(outcome, prepared, actual)) return [{ step: 'record', prepared, outcome }]
  if (requests.cache.done.length > 0) steps.push({ step: 'clear-cache', ...requests.cache })
  const flags = flagStep({ prepared, actual, situation, patience }, verdicts, requests)
  if (flags !== undefined) steps.push(flags)
  else if (isSettled(verdicts)) steps.push(...tidying(prepared, actual))
  return steps
}

function flagStep(all: Case, verdicts: Verdicts, { reloads }: WantedRequests): Step | undefined {
  const { actual, situation } = all
  if (actual.flags === undefined || (actual.application.is !== 'down' && !situation.quiet)) return undefined
  const kinds = kindsOf(all, verdicts, reloads)
  const kind = KINDS.find((each) => [...kinds.values()].includes(each))
  if (kind === undefined || KINDS.some((each) => each !== kind && (actual.flags?.set[each].size ?? 0) > 0))
    return undefined
  const requested = new Set(reloads.flatMap(({ ids }) => ids))
  const ids = [...kinds].filter(([, wanted]) => wanted === kind).map(([id]) => id)
  const done = reloads.filter((request) => request.ids.every((id) => kinds.get(id) === kind))
  return { step: 'flag', kind, flags: ids.map((id) => flagOf(all, id, requested.has(id))), done }
}

/** The strongest flag that is wanted for each dataset. */
function kindsOf(all: Case, verdicts: Verdicts, reloads: readonly Reload[]): ReadonlyMap<string, FlagKind> {
  const kinds = new Map<string, FlagKind>()
  const want = (id: string, kind: FlagKind): void => void kinds.set(id, stronger(kind, kinds.get(id)))
  for (const [id, verdict] of verdicts) if (verdict.is === 'to-load') want(id, verdict.kind)
  for (const { ids, flag } of reloads) for (const id of ids) want(id, flag)
  if (kinds.size > 0 || !needsTop(all)) return kinds
  const any = smallest(all.prepared)
  if (any !== undefined) want(any, 'soft')
  return kinds
}

/** A hard flag does all that the others do, and a bad-files flag reloads too. */
function stronger(a: FlagKind, b: FlagKind | undefined): FlagKind {
  return b === undefined || a === 'hard' || b === 'soft' ? a : b
}

function flagOf({ prepared, actual }: Case, id: string, requested: boolean): Flag {
  const digest = prepared.datasets.get(id)?.digest ?? ''
  const before = actual.state.flagged.get(id)
  const again = before?.digest === digest && !requested
  const { application } = actual
  const listed = application.is === 'up' ? application.listing?.has(id) : undefined
  return {
    id,
    digest,
    version: prepared.compiled.sha256,
    attempts: again ? before.attempts + 1 : 1,
    wasAbsent: application.is === 'down' || (listed === false && prepared.datasets.get(id)?.restricted !== true),
    failure: again ? before.failure : undefined,
  }
}

/** Settings outside of datasets are applied by every load; without one that is due, any one dataset does. */
function needsTop({ prepared, actual, situation }: Case): boolean {
  if (actual.application.is === 'down' || actual.reading === undefined) return false
  return actual.state.topDigest !== prepared.compiled.topDigest && !situation.readsOurs
}

/** One that is off does too, if all are: the flag makes ERDDAP read the file, and there it finds that the dataset is off. */
function smallest({ datasets }: Prepared): string | undefined {
  const on = [...datasets.values()].filter(({ active }) => active)
  const all = on.length > 0 ? on : [...datasets.values()]
  return all.toSorted((a, b) => a.source.byteLength - b.source.byteLength)[0]?.id
}

function outcomeOf(all: Case, verdicts: Verdicts, done: Outcome['done']): Outcome {
  const { actual, situation, prepared } = all
  const { state, application } = actual
  const entries = [...verdicts]
  const listing = application.is === 'up' ? application.listing : undefined
  const known = [...new Set([...state.loaded.keys(), ...state.maybe.keys(), ...state.flagged.keys()])]
  const top =
    state.topDigest !== prepared.compiled.topDigest &&
    situation.readsOurs &&
    (situation.startedOnOurs || situation.quiet) &&
    situation.brokenOff === undefined
  const settled = entries.every(([, { is }]) => is === 'served' || is === 'gone')
  const served = entries.flatMap(([id, verdict]) => (verdict.is === 'served' && verdict.news ? [id] : []))
  return {
    served,
    loads: served.flatMap((id) => loadOf(id, actual) ?? []),
    gone: entries.flatMap(([id, { is }]) => (is === 'gone' && state.flagged.has(id) ? [id] : [])),
    forgotten: listing === undefined ? [] : known.filter((id) => !verdicts.has(id)),
    failed: entries.flatMap(([id, verdict]) =>
      verdict.is === 'failed' && verdict.news ? [[id, verdict.failure]] : [],
    ),
    top,
    whole: application.is === 'up' && settled && (top || state.topDigest === prepared.compiled.topDigest),
    done,
  }
}

const DAY_MS = 86_400_000

/** How long a load took that a flag asked for: by ERDDAP's log, else from the flag to the proof. */
function loadOf(id: string, { nowMs, state, log }: Actual): Load | undefined {
  const flagged = state.flagged.get(id)
  if (flagged === undefined || flagged.kind === 'bad-files') return undefined
  const ms = log.times.get(id) ?? nowMs - flagged.atMs
  // The clock may have been set meanwhile.
  return ms >= 0 && ms <= DAY_MS ? { id, effect: flagged.kind, ms: Math.round(ms) } : undefined
}

function isNews(outcome: Outcome, { number }: Prepared, { state }: Actual): boolean {
  const { served, gone, forgotten, failed, done } = outcome
  return (
    served.length + gone.length + forgotten.length + failed.length + done.length > 0 ||
    state.applied !== number ||
    outcome.top ||
    (outcome.whole && state.served !== number)
  )
}

function isSettled(verdicts: Verdicts): boolean {
  return [...verdicts.values()].every(({ is }) => is !== 'loading' && is !== 'to-load')
}

/** Side files of earlier releases go last: until then, definitions that are still served may read them. */
function tidying(prepared: Prepared, { state }: Actual): readonly Step[] {
  const paths = [...state.sideFiles.keys()].filter((path) => !prepared.sideFiles.has(path))
  return paths.length === 0 ? [] : [{ step: 'tidy', paths }]
}
