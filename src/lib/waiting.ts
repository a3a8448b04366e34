import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'

/** Sleeps; answers false, instead of rejecting, when the signal cut it short. */
export async function sleepQuietly(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(ms, signal)
    return true
  } catch (error) {
    if (signal.aborted) return false
    throw error
  }
}

/** Resolves as soon as the signal is aborted. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
}

/** Runs `work` with a signal that aborts after `ms` with `UNREACHABLE`; it rests with `work` to listen to it. */
export async function withDeadline<T>(clock: Clock, ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const done = new AbortController()
  const late = new AbortController()
  const expire = async (): Promise<void> => {
    if (await sleepQuietly(clock, ms, done.signal)) {
      late.abort(new FlotillaError('UNREACHABLE', `no answer within ${ms} ms`))
    }
  }
  void expire()
  try {
    return await work(late.signal)
  } finally {
    done.abort()
  }
}
