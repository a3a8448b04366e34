import type { Clock } from '../core/clock.ts'

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  // That of node:timers/promises makes an error, with its stack, at every sleep that is cut short.
  sleep: async (ms, signal) => {
    signal?.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const cut = (): void => {
        clearTimeout(timer)
        reject(signal?.reason as Error)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', cut)
        resolve()
      }, ms)
      signal?.addEventListener('abort', cut, { once: true })
    })
  },
}
