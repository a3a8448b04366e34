import type { Summary } from '../../src/core/sync/summary.ts'

/** A round of sync that found everything as it should be. */
export const NOTHING_DONE: Summary = {
  complete: true,
  listed: 0,
  fetched: 0,
  travelled: 0,
  bytes: 0,
  adopted: 0,
  touched: 0,
  deleted: 0,
  held: 0,
  failures: [],
  failed: 0,
  refused: undefined,
  flipped: [],
  staged: [],
  durationMs: 1,
}
