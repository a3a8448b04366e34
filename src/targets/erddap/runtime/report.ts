import type { Problem } from '../../../core/problem.ts'
import type { ItemReport, TargetError, TargetReport, TargetState } from '../../../core/target.ts'
import { isUndecided, judge, type Verdict } from './judge.ts'
import type { Actual, Prepared } from './model.ts'
import type { Failure, NodeState } from './node-state.ts'
import { wantedRequests } from './requests.ts'
import { SAMPLE_TRIES } from './samples.ts'
import { situationOf, type Patience, type Situation } from './situation.ts'

const WARNINGS_MAX = 20

/**
 * What to tell the cluster. Pure.
 *
 * `served` is this release once every item is proved, and until then the last one that was, as long as ERDDAP answers.
 * An item that failed stays failed while it is tried again.
 */
export function report(
  prepared: Prepared,
  actual: Actual,
  patience: Patience,
  folders: { readonly bigParentDirectory: string },
): TargetReport {
  const situation = situationOf(prepared, actual, patience)
  const verdicts = judge({ prepared, actual, situation, patience })
  const failures = failuresOf(verdicts, prepared, actual)
  const items: [string, ItemReport][] = [...verdicts].flatMap(([id, verdict]) => {
    const item = itemOf(id, verdict, prepared, failures.get(id))
    return item === undefined ? [] : [[id, item]]
  })
  const states = items.map(([, { state }]) => state)
  const whole = situation.written && states.every((state) => state === 'served' || state === 'inactive')
  const failing = errorOf(actual, situation, patience, folders)
  const proved = stateOf({ actual, situation, states, error: failing, proved: whole && isDone(prepared, actual) })
  const answered = proved === 'in-step' ? answeredOf(prepared, actual) : { state: proved, error: undefined }
  const error = failing ?? answered.error ?? silenceOf(actual)
  const retrying = answered.state !== 'in-step' && [...failures.values()].some(isUndecided)
  const version = actual.application.is === 'up' ? actual.application.version : undefined
  const { loads } = actual.state
  return {
    state: answered.state,
    staged: prepared.number,
    applied: appliedOf(prepared, actual, situation),
    served: proved === 'in-step' ? prepared.number : provedBefore(prepared, actual),
    ...(error !== undefined && { error }),
    ...(retrying && { retrying }),
    warnings: prepared.warnings.slice(0, WARNINGS_MAX),
    ...(version !== undefined && { version }),
    progress: {
      done: states.filter((each) => each === 'served' || each === 'inactive').length,
      total: states.length,
    },
    items: Object.fromEntries(items),
    ...(loads.size > 0 && { loads: loadsOf(loads) }),
  }
}

/** What is wanted besides that every dataset is served. */
function isDone(prepared: Prepared, actual: Actual): boolean {
  const { reading, state } = actual
  const { reloads, cache } = wantedRequests(prepared, actual)
  const topIsRead = state.topDigest === prepared.compiled.topDigest
  // ERDDAP may have loaded something from a file that is not accounted for yet.
  const isAccounted = reading === undefined || reading.sha256 === state.read
  return topIsRead && isAccounted && reloads.length === 0 && cache.done.length === 0
}

/** Everything is proved; there may be samples to be answered yet. */
function answeredOf(
  { samples }: Prepared,
  { sampled }: Actual,
): { state: TargetState; error: TargetError | undefined } {
  if (samples.length === 0 || sampled?.is === 'good') return { state: 'in-step', error: undefined }
  if (sampled === undefined || sampled.tries < SAMPLE_TRIES) return { state: 'pending', error: undefined }
  const { severity: _severity, ...error } = sampled.problem
  return { state: 'failed', error }
}

/** Why datasets are not served that ERDDAP was asked to load or unload, also while it is asked once more. */
function failuresOf(
  verdicts: ReadonlyMap<string, Verdict>,
  prepared: Prepared,
  { state }: Actual,
): ReadonlyMap<string, Failure> {
  const failures = new Map<string, Failure>()
  for (const [id, verdict] of verdicts) {
    if (verdict.is !== 'failed' && verdict.is !== 'loading' && verdict.is !== 'to-load') continue
    const flagged = state.flagged.get(id)
    const before = flagged?.digest === (prepared.datasets.get(id)?.digest ?? '') ? flagged.failure : undefined
    const failure = verdict.is === 'failed' ? verdict.failure : before
    if (failure !== undefined) failures.set(id, failure)
  }
  return failures
}

function loadsOf(loads: NodeState['loads']): NonNullable<TargetReport['loads']> {
  const times = [...loads].map(([id, { soft, hard }]): [string, { soft?: number; hard?: number }] => [
    id,
    { ...(soft !== undefined && { soft }), ...(hard !== undefined && { hard }) },
  ])
  return Object.fromEntries(times)
}

function itemOf(
  id: string,
  verdict: Verdict,
  { datasets }: Prepared,
  failure: Failure | undefined,
): ItemReport | undefined {
  const dataset = datasets.get(id)
  if (verdict.is === 'served') return { state: 'served' }
  if (verdict.is === 'gone') return dataset === undefined ? undefined : { state: 'inactive' }
  if (verdict.is === 'unproved') return { state: dataset?.active === false ? 'inactive' : 'unproved' }
  return failure === undefined ? { state: 'loading' } : { state: 'failed', problem: problemOf(id, failure) }
}

const HINTS: Readonly<Record<Failure['code'], string>> = {
  LOAD_FAILED:
    'Correct the definition, or what it refers to on this node; it is tried again by itself. ERDDAP says more in logs/log.txt.',
  LOAD_ABORTED: 'Correct this place: ERDDAP does not know what stands there, and reads nothing behind it.',
  LOAD_STALE: 'It is asked again by itself. If that does not help, restart ERDDAP and look into logs/log.txt.',
}

function problemOf(dataset: string, { code, message, file, line }: Failure): Problem {
  return { severity: 'error', code, file, ...(line !== undefined && { line }), message, hint: HINTS[code], dataset }
}

interface Facts {
  readonly actual: Actual
  readonly situation: Situation
  readonly states: readonly ItemReport['state'][]
  readonly error: TargetError | undefined
  readonly proved: boolean
}

function stateOf({ actual, situation, states, error, proved }: Facts): TargetState {
  if (error !== undefined) return 'failed'
  if (!situation.written) return 'pending'
  if (actual.application.is !== 'up') return 'unproved'
  if (proved) return 'in-step'
  if (states.includes('loading')) return 'pending'
  if (states.includes('failed')) return 'failed'
  return states.includes('unproved') ? 'unproved' : 'pending'
}

function appliedOf({ number }: Prepared, { datasetsXml, state }: Actual, { written }: Situation): number {
  if (written) return number
  return datasetsXml !== undefined && datasetsXml.sha256 === state.written ? state.applied : 0
}

function provedBefore({ number }: Prepared, { application, state }: Actual): number {
  // A release that is wanted again after another one has to be proved again.
  return application.is === 'up' && state.served !== number ? state.served : 0
}

/** Why nothing can be proved. Nothing failed: what is written stays written, and ERDDAP reads it when it starts. */
function silenceOf({ application }: Actual): TargetError | undefined {
  if (application.is === 'up') return undefined
  if (application.is === 'down') {
    return {
      code: 'UNREACHABLE',
      message: `ERDDAP does not answer: ${application.why}`,
      hint: 'Start this node’s ERDDAP, or correct `url` of the target in the agent’s configuration.',
    }
  }
  return {
    code: 'CONFIG_INVALID',
    message: 'nothing can be proved: the agent was not told the address of this node’s ERDDAP',
    hint: 'Set `url` of the target in the agent’s configuration, and start the agent again.',
  }
}

function errorOf(
  actual: Actual,
  situation: Situation,
  { flagMs }: Patience,
  { bigParentDirectory }: { readonly bigParentDirectory: string },
): TargetError | undefined {
  const { flags, state, application, nowMs } = actual
  if (flags === undefined) {
    return {
      code: 'CONFIG_INVALID',
      message: `bigParentDirectory ${bigParentDirectory} is not there`,
      hint:
        'Is the volume mounted? Otherwise set it to the bigParentDirectory of this node’s ERDDAP (setup.xml), and let the ' +
        'agent see it under that path.',
    }
  }
  const lying = [...state.flagged].some(
    ([id, { kind, atMs }]) => flags.set[kind].has(id) && Math.abs(nowMs - atMs) >= flagMs,
  )
  if (lying && application.is === 'up' && situation.quiet) {
    return {
      code: 'CONFIG_INVALID',
      message: `ERDDAP answers, but has not taken the flags in ${bigParentDirectory} for ${Math.round(flagMs / 1000)} s`,
      hint: 'Check that url and bigParentDirectory are of the same ERDDAP, and that it may delete files there.',
    }
  }
  const broken = [...state.flagged.values()].find(({ failure }) => failure?.code === 'LOAD_ABORTED')?.failure
  if (broken === undefined) return undefined
  const { code, message, file, line } = broken
  return { code, message, file, ...(line !== undefined && { line }), hint: HINTS[code] }
}
