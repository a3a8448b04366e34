import { brokenOff, type LoadError, loadErrors } from './load-errors.ts'

/** What the end of ERDDAP's log.txt tells about its last load. */
export interface LoadLog {
  /** Whether the last load is still running; undefined where the log does not reach back to its start. */
  readonly running: boolean | undefined
  /** Set when the last load stopped before the end of datasets.xml. */
  readonly brokenOff: LoadError | undefined
  /** Why datasets could not be loaded, by id. */
  readonly errors: ReadonlyMap<string, LoadError>
  /** How many ms it took to make a dataset ready, by id, in the last load that did. */
  readonly times: ReadonlyMap<string, number>
}

export const NO_LOG: LoadLog = { running: undefined, brokenOff: undefined, errors: new Map(), times: new Map() }

const START = /^LoadDatasets\.run EDStatic\.(?:config\.)?developmentMode=/gm
const END = /^(?:LoadDatasets\.run finished at |\*\*\* RunLoadDatasets notes that LoadDatasets has finished running)/m

/**
 * Reads the end of log.txt. It says what no page of ERDDAP says: that a load has ended, and why one that a flag caused
 * has failed. (ERDDAP's LoadDatasets and RunLoadDatasets, the same from 2.18 to 2.31.)
 */
export function parseLoadLog(text: string): LoadLog {
  const start = [...text.matchAll(START)].at(-1)
  const times = timesIn(text)
  if (start === undefined) return { ...NO_LOG, errors: loadErrors(text), times }
  const last = text.slice(start.index)
  const broken = brokenOff(last)
  return {
    // In 2.18 a load that broke off has no line of its own end.
    running: broken === undefined && !END.test(last),
    brokenOff: broken,
    // After a load that broke off, older errors would be taken for the reason why a dataset is missing.
    errors: loadErrors(broken === undefined ? text : last),
    times,
  }
}

/** At the end of every constructor. (EDDGridFromDap, EDDTableFromFiles and the others) */
const CONSTRUCTED = /^\*\*\* (?:EDD\w+) (\S+) constructor finished\. TIME=(\d{1,12})ms/gm

function timesIn(text: string): ReadonlyMap<string, number> {
  return new Map([...text.matchAll(CONSTRUCTED)].map(([, id = '', ms]) => [id, Number(ms)]))
}
