import type { Clock } from '../core/clock.ts'
import { ERRORS, isError } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { Service } from '../core/service.ts'
import type { Store } from '../core/store.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import { Office } from '../rollout/office.ts'

export interface OneHubDeps {
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
  /** For people: which hub this is. */
  readonly holder: string
}

const TTL_MS = 6000

/**
 * A service that runs in one of the hubs that share a store, and in the next one when that is gone. What it does must bear that
 * the one before it, which was stopped for a while, finishes what it was at.
 */
export function inOneHub(service: Service, deps: OneHubDeps): Service {
  // A folder is part of the name, and a key takes no space.
  const name = encodeURIComponent(service.name)
  return {
    name: service.name,
    run: async (signal) => {
      const office = new Office({ ...deps, name, ttlMs: TTL_MS })
      try {
        while ((await office.take(signal)) !== undefined) await term(service, office, deps.clock, signal)
      } finally {
        await office.leave()
      }
    },
  }
}

/** Runs the service while the office is held. Rejects when the service does. */
async function term(service: Service, office: Office, clock: Clock, signal: AbortSignal): Promise<void> {
  const over = new AbortController()
  const during = AbortSignal.any([signal, over.signal])
  const renewing = renew(office, clock, during).finally(() => over.abort())
  try {
    await service.run(during)
  } catch (error) {
    // Stopped because the office is lost, whatever it says.
    if (!over.signal.aborted) throw error
  } finally {
    over.abort()
    await renewing
  }
}

/** Resolves when the office is lost, or may be, and when the signal aborts. */
async function renew(office: Office, clock: Clock, signal: AbortSignal): Promise<void> {
  let renewedMs = clock.monotonicMs()
  while (await sleepQuietly(clock, TTL_MS / 4, signal)) {
    const askedMs = clock.monotonicMs()
    try {
      if (!(await office.renew({ signal }))) return
      renewedMs = askedMs
    } catch (error) {
      if (signal.aborted || !isError(error) || !ERRORS[error.code].retry) return
      if (clock.monotonicMs() - renewedMs > TTL_MS / 2) return
    }
  }
}
