import type { Problem } from '../../../core/problem.ts'
import type { CatalogEntry } from '../definition/model.ts'
import type { Place } from '../definition/classify.ts'
import type { Identity } from './walk.ts'

/** What was learnt of one file of a data directory. */
export interface Known {
  readonly place: Place
  /** The file as it was read; of one that could not be, nothing: it is read again. */
  readonly read: Identity | undefined
  /** What others refer to it by. */
  readonly id: string | undefined
  /** The last that could be made of it. */
  readonly entry: CatalogEntry | undefined
  readonly problem: Problem | undefined
}

/** Files whose times lie this close to the moment they were read may change once more and keep the same times. */
const GRANULARITY_MS = 20

/** What to remember as read at `readMs`: a file that was written just before is read again. Data directories lie on local disks. */
export function asRead(identity: Identity, readMs: number): Identity | undefined {
  const isFresh = [identity.mtimeMs, identity.ctimeMs].some((time) => Math.abs(readMs - time) < GRANULARITY_MS)
  return isFresh ? undefined : identity
}
