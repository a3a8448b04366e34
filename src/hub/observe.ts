import type { HubContext } from './context.ts'
import { type Streamed, streamEvents } from './stream-events.ts'
import type { Asking } from './wait-places.ts'
import type { Wait } from '../coordination/waiters.ts'

/** One thing to be told, and whether it is the last. */
interface Told {
  readonly text: string
  readonly isLast?: boolean
}

const LONG_MS = 3_600_000

/**
 * Tells as server-sent events how something stands, at once and whenever it is different. `next` waits until it is not
 * `last`, which was told before. A slow reader misses what was different in between, never what is so at the end.
 */
export async function observe(
  hub: HubContext,
  call: Asking & Streamed,
  event: string,
  next: (last: string, wait: Wait) => Promise<Told | undefined>,
): Promise<void> {
  await hub.waits.within(call, LONG_MS, ({ signal: ended }) =>
    streamEvents(hub, call, ended, async (events, signal) => {
      let told: Told | undefined = { text: '' }
      while (told?.isLast !== true) {
        const last: string = told?.text ?? ''
        told = (await next(last, { ms: LONG_MS, signal })) ?? { text: last }
        if (told.text !== last) await events.send({ event, data: told.text })
        signal.throwIfAborted()
      }
    }),
  )
}
