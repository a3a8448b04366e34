import type { ErrorCode, FlotillaError } from '../errors.ts'

export interface FailedFile {
  readonly key: string
  readonly code: ErrorCode | 'INTERNAL'
  readonly message: string
}

/** What a round did. */
export interface Summary {
  /** Whether all that is wanted is here, as the source had it. */
  readonly complete: boolean
  /** Files of the source that were looked at: all, or those that changed since the last round. */
  readonly listed: number
  readonly fetched: number
  /** Bytes that travelled, and that the files have which came over: a part of a file may have been here already. */
  readonly travelled: number
  readonly bytes: number
  /** Found here as the source has them, without a record of it. */
  readonly adopted: number
  readonly touched: number
  readonly deleted: number
  /** Metadata that wait for other files of their model. */
  readonly held: number
  /** The first of those that could not be brought over, and how many there are. */
  readonly failures: readonly FailedFile[]
  readonly failed: number
  /** Why nothing was deleted although there is something to delete. */
  readonly refused: FlotillaError | undefined
  /** Groups of files that became visible as a whole. */
  readonly flipped: readonly string[]
  /** Groups that are whole, and wait for other nodes. */
  readonly staged: readonly string[]
  readonly durationMs: number
}

export const FAILURES_NAMED = 100
