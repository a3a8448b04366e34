import type { Clock } from '../core/clock.ts'
import { isError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'

/** Hint of what was lost on the way, by which it is known from what nobody took. */
export const LOST = 'It is not known whether it was done: look at what is there, then decide again.'
/** How long a hub whose answer was lost is asked for it again. */
const AGAIN_MS = 15_000
const PAUSE_MS = 300

/** Asks again for an answer that was lost. For requests that are done once, however often they come. */
export async function answered<T>(clock: Clock, ask: () => Promise<T>, { signal }: Op = {}): Promise<T> {
  let lost: unknown
  // From the first loss on, which may be that nothing came for as long.
  let endMs: number | undefined
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!isError(error, 'UNREACHABLE', 'NOT_READY')) throw error
      if (error.details.hint === LOST) {
        lost ??= error
        endMs ??= clock.monotonicMs() + AGAIN_MS
      }
      // Where nobody took the first request, there is no answer to ask for.
      if (endMs === undefined || clock.monotonicMs() >= endMs) throw lost ?? error
    }
    await clock.sleep(PAUSE_MS, signal)
  }
}
