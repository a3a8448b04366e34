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
  const endMs = clock.monotonicMs() + AGAIN_MS
  for (let wasLost = false; ; await clock.sleep(PAUSE_MS, signal)) {
    try {
      return await ask()
    } catch (error) {
      if (!isError(error, 'UNREACHABLE', 'NOT_READY')) throw error
      // Where nobody took the first request, there is no answer to ask for.
      wasLost ||= error.details.hint === LOST
      if (!wasLost || clock.monotonicMs() >= endMs) throw error
    }
  }
}
