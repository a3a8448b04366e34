import type { Clock } from '../core/clock.ts'
import { isError, messageOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { Service } from '../core/service.ts'
import { Backoff } from './backoff.ts'
import { aborted, sleepQuietly } from './waiting.ts'

export interface SuperviseOptions {
  readonly clock: Clock
  readonly log: Logger
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly signal: AbortSignal
  /** The longest delay before a service is started again; 30 s unless told. */
  readonly maxDelayMs?: number
}

const FIRST_MS = 250
const MAX_DELAY_MS = 30_000
/** A service that ran this long before it failed starts again with the shortest delay. */
const GOOD_MS = 60_000
/** How long services may take to stop before they are left behind. */
const STOP_MS = 10_000

/**
 * Runs every service until `signal` aborts. One that rejects is started again after a growing delay, and never
 * disturbs the others; one that resolves has nothing more to do. Resolves when all have ended, or `STOP_MS` after
 * the signal: what still runs then is named in the log. Never rejects.
 */
export async function supervise(services: readonly Service[], options: SuperviseOptions): Promise<void> {
  const running = new Set(services)
  const all = Promise.all(
    services.map(async (service) => {
      await keepRunning(service, options)
      running.delete(service)
    }),
  )
  const ended = new AbortController()
  await Promise.race([all, grace(options, ended.signal)])
  ended.abort()
  for (const { name } of running) options.log.error('service did not stop in time', { service: name })
}

async function keepRunning(service: Service, options: SuperviseOptions): Promise<void> {
  const { clock, random, signal, maxDelayMs = MAX_DELAY_MS } = options
  const backoff = new Backoff({ firstMs: FIRST_MS, maxMs: maxDelayMs, random })
  while (!signal.aborted) {
    const startedMs = clock.monotonicMs()
    try {
      await service.run(signal)
      return
    } catch (error) {
      if (signal.aborted) return
      if (clock.monotonicMs() - startedMs >= GOOD_MS) backoff.reset()
      const loudness = loudnessOf(backoff)
      const delayMs = Math.round(backoff.nextMs())
      options.log[loudness]('service failed, starting it again', { service: service.name, delayMs, ...describe(error) })
      await sleepQuietly(clock, delayMs, signal)
    }
  }
}

/**
 * The longer we wait, the louder we log: a hiccup is no news, a service that stays down is.
 * It is said once that it stays down; every further attempt would fill the log with the same line.
 */
function loudnessOf(backoff: Backoff): 'debug' | 'info' | 'warn' | 'error' {
  if (backoff.failures > backoff.failuresToMax) return 'debug'
  if (backoff.failures === backoff.failuresToMax) return 'error'
  return backoff.failures < 2 ? 'info' : 'warn'
}

/** A stack only where the fault is ours: expected failures carry a code. */
function describe(error: unknown): Readonly<Record<string, unknown>> {
  if (isError(error)) return { code: error.code, error: error.message }
  return { error: messageOf(error), stack: error instanceof Error ? error.stack : undefined }
}

async function grace({ clock, signal }: SuperviseOptions, ended: AbortSignal): Promise<void> {
  await aborted(AbortSignal.any([signal, ended]))
  await sleepQuietly(clock, STOP_MS, ended)
}
