import type { LoadError } from './load-errors.ts'
import type { Actual, Prepared } from './model.ts'

/** What follows from files and answers for the node as a whole. Pure. */
export interface Situation {
  /** datasets.xml on disk is the one that is wanted. */
  readonly written: boolean
  /** ERDDAP read that file last, and after it was written. */
  readonly readsOurs: boolean
  /** ERDDAP started after that file was written, so everything it serves comes from it. */
  readonly startedOnOurs: boolean
  /** No load is under way, as far as anything tells: what was taken up has come to its end, good or bad. */
  readonly quiet: boolean
  /** The last load stopped before the end of datasets.xml. */
  readonly brokenOff: LoadError | undefined
  /** ERDDAP has just started: it puts off datasets that have no index, and loads them moments later. */
  readonly starting: boolean
}

export interface Patience {
  /** How long nothing must happen in files before a load counts as ended that no page of ERDDAP tells of. */
  readonly settleMs: number
  /** How long a started ERDDAP may leave out datasets without that being a failure. */
  readonly startMs: number
  /** How long a flag may lie, or its load leave datasets.xml unread, before something is said to be wrong. */
  readonly flagMs: number
  /** How long after a load that failed it is tried once more; later attempts wait for multiples of it. */
  readonly retryMs: number
}

export function situationOf(prepared: Prepared, actual: Actual, patience: Patience): Situation {
  const { nowMs, datasetsXml, reading, flags, application, log } = actual
  const { sha256 } = prepared.compiled
  const status = application.is === 'up' ? application.status : undefined
  const written = datasetsXml?.sha256 === sha256
  const readsOurs = written && reading?.sha256 === sha256 && isSince(reading.mtimeMs, datasetsXml.mtimeMs, nowMs)
  const startedAtMs = status?.startedAtMs
  const activeMs = Math.max(reading?.mtimeMs ?? 0, flags?.changedMs ?? 0)
  const quiet = status?.loading !== true && log.running !== true && Math.abs(nowMs - activeMs) >= patience.settleMs
  return {
    written,
    readsOurs,
    startedOnOurs: readsOurs && startedAtMs !== undefined && startedAtMs >= datasetsXml.mtimeMs,
    quiet,
    brokenOff: log.running === undefined ? status?.brokenOff : log.brokenOff,
    starting: startedAtMs !== undefined && Math.abs(nowMs - startedAtMs) < patience.startMs,
  }
}

/** A time that lies ahead was noted before the clock was set back; then times cannot be compared. */
function isSince(aMs: number, bMs: number, nowMs: number): boolean {
  return aMs >= bMs || bMs > nowMs
}
