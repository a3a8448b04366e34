import type { Clock } from '../core/clock.ts'
import type { Op } from '../core/op.ts'
import type { Provisioned } from '../core/push/upkeep.ts'
import type { Backlog } from './distribution-backlog.ts'
import type { Sender } from './sender.ts'

export interface ProvisionOptions {
  readonly sender: Sender
  readonly backlog: Backlog
  readonly clock: Clock
}

const TOLD_MS = 1000

/**
 * Offers everything to a child again: what it lacks or has otherwise travels, throttled, verified, and goes on after a restart of either side. Yields how far
 * it is each second, and ends when everything was sent or set aside. Who stops listening does not stop it.
 */
export async function* provision(
  { sender, backlog, clock }: ProvisionOptions,
  { signal }: Op,
): AsyncGenerator<Provisioned, void> {
  const before = sender.sentBytes
  sender.beginAnew()
  for (;;) {
    signal?.throwIfAborted()
    const { state, stuck, error } = sender
    const sentBytes = sender.sentBytes - before
    yield { state, behind: backlog.behind(), sentBytes, stuck: stuck.size, error, etaMs: backlog.etaMs() }
    if (state === 'in-step') return
    await clock.sleep(TOLD_MS, signal)
  }
}
