import { tell } from './errors.ts'
import { EventStream } from './event-stream.ts'
import type { HubContext } from './context.ts'
import type { Call } from './route.ts'
import type { Asking } from './wait-places.ts'
import { SECURITY_HEADERS } from './security-headers.ts'
import { FlotillaError } from '../core/errors.ts'
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
  { caller, request, reply, places }: Asking & Pick<Call<unknown, unknown, unknown>, 'request'>,
  event: string,
  next: (last: string, wait: Wait) => Promise<Told | undefined>,
): Promise<void> {
  await hub.waits.within({ caller, reply, places }, LONG_MS, async ({ signal: ended }) => {
    const over = new AbortController()
    const signal = AbortSignal.any([ended, over.signal])
    reply.hijack()
    const { heartbeatMs, stalledMs } = hub.limits
    const headers = { ...SECURITY_HEADERS, 'x-request-id': request.id }
    const events = new EventStream(reply.raw, { clock: hub.clock, heartbeatMs, stalledMs, headers, signal })
    const beating = events.heartbeats(() => {
      if (hub.tokens.isExpired(caller)) over.abort(new FlotillaError('UNAUTHENTICATED', 'the token has expired'))
    })
    try {
      let told: Told | undefined = { text: '' }
      while (told?.isLast !== true) {
        const last: string = told?.text ?? ''
        told = (await next(last, { ms: LONG_MS, signal })) ?? { text: last }
        if (told.text !== last) await events.send({ event, data: told.text })
        signal.throwIfAborted()
      }
    } catch (error) {
      await events.send({ event: 'error', data: JSON.stringify(tell(error, request.id).body) })
    } finally {
      over.abort()
      events.end()
      await beating
    }
  })
}
