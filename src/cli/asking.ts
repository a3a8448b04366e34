import { isError } from '../core/errors.ts'
import type { Context } from './context.ts'

const AGAIN_MS = 250

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
