import { ERRORS, isError } from '../errors.ts'

export const RETRIES = { attempts: 8, changes: 10, firstMs: 500, maxMs: 30_000 } as const

/** What happened to one file in this round so far. */
export interface Tries {
  /** Failures that may pass. */
  readonly failures: number
  /** How often it was found to be another one than was listed. */
  readonly changes: number
}

export type RetryDecision =
  | { readonly do: 'wait'; readonly ms: number }
  /** See what it is by now, and begin anew. */
  | { readonly do: 'look' }
  | { readonly do: 'give-up' }

/** What to do after `error`. `random`: uniform in [0, 1). */
export function decideRetry(error: unknown, tries: Tries, random: () => number): RetryDecision {
  if (isError(error, 'CHANGED', 'NOT_FOUND'))
    return tries.changes < RETRIES.changes ? { do: 'look' } : { do: 'give-up' }
  const mayPass = isError(error) && ERRORS[error.code].retry && error.code !== 'DISK_FULL'
  if (!mayPass || tries.failures >= RETRIES.attempts) return { do: 'give-up' }
  const fullMs = Math.min(RETRIES.maxMs, RETRIES.firstMs * 2 ** tries.failures)
  // Many that failed together shall not come back together.
  const ms = fullMs * (0.5 + random() / 2)
  return { do: 'wait', ms: Math.max(ms, error.details.retryAfterMs ?? 0) }
}
