import type { Clock } from '../core/clock.ts'
import type { OpenLedger } from '../core/push/ledger.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import type { Sender } from './sender.ts'

const EVERY_MS = 3600_000
/** How long deletions are remembered, also when every child has them. */
const KEPT_MS = 30 * 24 * 3600_000

interface Deletions {
  readonly clock: Clock
  /** Also at a node without children, which may be given its ledger later. */
  readonly ledger: () => OpenLedger | undefined
}

/** Forgets deletions that are old enough, and that no child lacks. */
export async function forgetDeletions(
  { clock, ledger }: Deletions,
  senders: () => readonly Sender[],
  signal: AbortSignal,
): Promise<void> {
  while (await sleepQuietly(clock, EVERY_MS, signal)) {
    await ledger()?.forget(clock.nowMs() - KEPT_MS, everywhere(senders()))
  }
}

/** Up to there every child has everything. */
function everywhere(senders: readonly Sender[]): number {
  let least = Infinity
  for (const { cursor, stuck } of senders) {
    least = Math.min(least, cursor)
    for (const { position } of stuck.all()) least = Math.min(least, position - 1)
  }
  return least
}
