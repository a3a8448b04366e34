import { clean } from '../../../lib/clean.ts'
import type { LoadError } from './load-errors.ts'
import type { Actual, Desired, Prepared } from './model.ts'
import type { Failure, Flagged } from './node-state.ts'
import type { Patience, Situation } from './situation.ts'

/** One look at a node, with what follows from it. */
export interface Case {
  readonly prepared: Prepared
  readonly actual: Actual
  readonly situation: Situation
  readonly patience: Patience
}

/** Why something failed, with the line of the compiled file where ERDDAP names one. */
export type Reason = Pick<Failure, 'code' | 'message'> & { readonly line?: number | undefined }

/** Why a dataset is not served although ERDDAP was asked to load it: its own words, as far as they are to be found. */
export function whyMissing({ actual, situation }: Case, { id }: Desired): Reason {
  const error = actual.log.errors.get(id)
  if (error === undefined && situation.brokenOff !== undefined) return whyBrokenOff(situation.brokenOff)
  const { line, message } = errorOf(actual, id) ?? { line: undefined, message: 'it gives no reason' }
  return { code: 'LOAD_FAILED', message: `ERDDAP could not load it: ${message}`, line }
}

/** ERDDAP has put the dataset off until its first load is over, and loads it by itself then. (EDDTableFromFiles, EDDGridFromFiles) */
export function isPutOff(actual: Actual, id: string): boolean {
  return errorOf(actual, id)?.message.includes('ERDDAP is deferring loading this dataset') === true
}

function errorOf({ log, application }: Actual, id: string): LoadError | undefined {
  const status = application.is === 'up' ? application.status : undefined
  return log.errors.get(id) ?? status?.errors.get(id)
}

/** Why a dataset that is served is not as it was asked for. */
export function whyStale({ situation }: Case, asked: 'load' | 'unload'): Reason {
  if (situation.brokenOff !== undefined) return whyBrokenOff(situation.brokenOff)
  const message =
    asked === 'load'
      ? 'ERDDAP was asked to load this definition, and still serves the old one'
      : 'ERDDAP was asked to unload it, and still serves it'
  return { code: 'LOAD_STALE', message }
}

function whyBrokenOff({ line, message }: LoadError): Reason {
  return { code: 'LOAD_ABORTED', message: `ERDDAP stopped reading datasets.xml: ${message}`, line }
}

/** The failure of the latest attempt, at the place in the files of the release that it is about. */
export function failureOf(all: Case, flagged: Flagged, dataset: Desired | undefined, reason: Reason): Failure {
  const { prepared, actual } = all
  const place = reason.line === undefined ? undefined : prepared.compiled.locate(reason.line)
  const defined = dataset !== undefined && dataset.path !== '' ? dataset : undefined
  return {
    code: reason.code,
    message: clean(reason.message),
    file: place?.file ?? defined?.path ?? 'datasets.xml',
    line: place?.line ?? (reason.code === 'LOAD_ABORTED' ? undefined : defined?.line),
    attempt: flagged.attempts,
    atMs: actual.nowMs,
  }
}
