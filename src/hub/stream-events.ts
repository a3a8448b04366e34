import { FlotillaError } from '../core/errors.ts'
import type { HubContext } from './context.ts'
import { tell } from './errors.ts'
import { EventStream } from './event-stream.ts'
import type { Call } from './route.ts'
import { SECURITY_HEADERS } from './security-headers.ts'

export type Streamed = Pick<Call<unknown, unknown, unknown>, 'caller' | 'request' | 'reply'>

/**
 * Answers a call with server-sent events: those that `feed` sends until it returns, and a last one of type `error` with why it
 * throws. Its signal aborts with `ended`, and when the token has expired.
 */
export async function streamEvents(
  hub: HubContext,
  { caller, request, reply }: Streamed,
  ended: AbortSignal,
  feed: (events: EventStream, signal: AbortSignal) => Promise<void>,
): Promise<void> {
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
    await feed(events, signal)
  } catch (error) {
    await events.send({ event: 'error', data: JSON.stringify(tell(error, request.id).body) })
  } finally {
    over.abort()
    events.end()
    await beating
  }
}
