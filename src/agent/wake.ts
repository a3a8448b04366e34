import type { Clock } from '../core/clock.ts'
import type { Service } from '../core/service.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import type { Wake } from '../lib/wake.ts'

/** Why to look again: what is wanted moved, a local file did, or a person asked. */
export type Reason = 'wanted' | 'local' | 'manual'

export interface LocalOptions {
  readonly name: string
  /** One value for every change of a file that matters to the target; what it holds is not looked at. */
  readonly changes: (signal: AbortSignal) => AsyncIterable<unknown>
  readonly wake: Wake<Reason>
  readonly clock: Clock
  /** How long a burst of changes is let come to rest; 500 ms unless told. */
  readonly settleMs?: number | undefined
}

/** An editor writes a file in several steps: looking at the first of them would find half a file. */
const SETTLE_MS = 500

/** Turns changes of local files into looks, once for each burst. */
export function localWake({ name, changes, wake, clock, settleMs = SETTLE_MS }: LocalOptions): Service {
  return {
    name: `watch ${name}`,
    async run(signal) {
      for await (const _ of changes(signal)) {
        if (!(await sleepQuietly(clock, settleMs, signal))) return
        wake.poke('local')
      }
    },
  }
}
