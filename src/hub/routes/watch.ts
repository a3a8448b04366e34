import { z } from 'zod'
import { FlotillaError } from '../../core/errors.ts'
import { checkPrefixes } from '../../core/store-limits.ts'
import type { HubContext } from '../context.ts'
import { checkReadUnder, View } from '../raw-keys.ts'
import { type Call, type Route, route } from '../route.ts'
import { zNumberText } from '../schemas/common.ts'
import { streamEvents } from '../stream-events.ts'

const zQuery = z.strictObject({
  prefix: z.string(),
  /** A query parameter that stands there once is no list. */
  also: z.union([z.array(z.string()), z.string().transform((one) => [one])]).optional(),
  after: zNumberText.optional(),
})
type WatchCall = Call<unknown, z.output<typeof zQuery>, unknown>

export const watchRoutes: readonly Route[] = [
  route({
    method: 'GET',
    url: '/v1/store/watch',
    id: 'watch',
    summary: 'What is committed under a prefix, as server-sent events',
    details:
      'Each `batch` event is one commit, with its revision as the id; an `error` event ends the stream. A comment is ' +
      'sent when nothing else was for a while: silence means that the connection is dead. Goes on after the revision ' +
      'in `after`, or in `Last-Event-ID`, which browsers send when they connect again. Holds what the token may read. ' +
      '`also`, any number of times up to seven, is one more prefix whose changes come in the same order.',
    access: {
      says: 'read on each prefix, or on something under it',
      check: (caller, { query }) => {
        const { prefix, also } = query as z.output<typeof zQuery>
        for (const each of checkPrefixes(prefix, also)) checkReadUnder(caller, each)
      },
    },
    query: zQuery,
    answerType: 'text/event-stream',
    handler: async (hub, call) => {
      const after = startOf(call)
      const place = hub.watches.enter(call.caller.id)
      try {
        await stream(hub, call, after, place.evicted)
      } finally {
        place.leave()
      }
      return undefined
    },
  }),
]

function startOf({ query, request }: WatchCall): number {
  const last = zNumberText.safeParse(request.headers['last-event-id']).data ?? query.after
  if (last !== undefined) return last
  throw new FlotillaError('BAD_REQUEST', 'neither `after` nor Last-Event-ID says where to start', {
    hint: 'List the prefix first, and watch from the revision of the listing.',
  })
}

async function stream(hub: HubContext, call: WatchCall, after: number, evicted: AbortSignal): Promise<void> {
  const { caller, query, reply } = call
  const gone = new AbortController()
  reply.raw.on('close', () => gone.abort())
  // The answer of a client that left while its token was looked at closes no second time.
  if (reply.raw.closed) gone.abort()
  const ended = AbortSignal.any([gone.signal, evicted, caller.ended, hub.closing])
  const view = new View(caller, hub.leases)
  await streamEvents(hub, call, ended, async (events, signal) => {
    for await (const batch of hub.store.watch(query.prefix, { after, also: query.also, signal })) {
      const seen = view.batch(batch)
      if (seen !== undefined)
        await events.send({ event: 'batch', id: String(seen.revision), data: JSON.stringify(seen) })
    }
    // A watch ends without an error only when it was told to, or with its store.
    throw signal.aborted ? signal.reason : new FlotillaError('UNREACHABLE', 'the store was closed')
  })
}
