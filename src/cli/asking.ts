import type { Clock } from '../core/clock.ts'
import { isError } from '../core/errors.ts'
import type { Context } from './context.ts'

const AGAIN_MS = 250
const POLL_MS = 25_000
/** A hub that is not there to begin with is most likely not the right one. */
const FIRST_MS = 5000

/** When a time is over that begins now; never for undefined. */
export function endOf(clock: Clock, limitMs: number | undefined): number {
  return limitMs === undefined ? Number.POSITIVE_INFINITY : clock.monotonicMs() + limitMs
}

/** Until when a hub that has not answered yet is asked. */
export function firstEndOf(clock: Clock, endMs: number): number {
  return Math.min(endMs, endOf(clock, FIRST_MS))
}

/** How long a hub is to wait before it answers that nothing has changed. */
export function pollMs(clock: Clock, endMs: number): number {
  return Math.max(0, Math.round(Math.min(POLL_MS, endMs - clock.monotonicMs())))
}

/** Asks a hub that may be gone for a moment, again and again until the time is over. */
export async function asking<T>({ clock, signal }: Context, endMs: number, ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!isError(error, 'UNREACHABLE', 'NOT_READY') || clock.monotonicMs() >= endMs) throw error
    }
    await clock.sleep(AGAIN_MS, signal)
  }
}
