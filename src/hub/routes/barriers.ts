import { z } from 'zod'
import type { ArrivalRequest, BarrierAnswer } from '../../core/api-coordination.ts'
import type { BarrierState } from '../../coordination/barriers.ts'
import { missingOf } from '../../core/coordination/barriers.ts'
import { FlotillaError } from '../../core/errors.ts'
import { allows } from '../../core/scope.ts'
import type { Caller } from '../caller.ts'
import { leaseWish, sessionOf, waitOf } from '../lease-wish.ts'
import { observe } from '../observe.ts'
import { type Route, route } from '../route.ts'
import { zName, zNumberText } from '../schemas/common.ts'
import { zArrivalRequest, zBarrierAnswer, zWaitText, zWho } from '../schemas/coordination.ts'

const zBarrier = z.strictObject({ name: zName })
const zParty = z.strictObject({ name: zName, who: zWho })
const zListed = z
  .string()
  .max(10_000)
  .transform((text) => text.split(',').filter((who) => who !== ''))

export const barrierRoutes: readonly Route[] = [
  route({
    method: 'POST',
    url: '/v1/barriers/:name/arrive',
    id: 'arrive',
    summary: 'Arrives at a barrier, which lets all pass together as soon as `parties` are there',
    details:
      'Who comes is there under a lease, and drops out when it ends. Every passing begins a new generation, so a barrier can be used again ' +
      'and again. The answer may wait up to `waitMs`, not longer than half of `ttlMs`; who of `expect` has not come is in `missing`. ' +
      'Asking again with the same `session`, or the same `Idempotency-Key`, answers for the same arrival.',
    access: {
      says: '`write:barrier/{name}/{who}`',
      check: (caller, { params, body }) =>
        checkParty(caller, (params as { name: string }).name, (body as ArrivalRequest).who),
    },
    params: zBarrier,
    body: zArrivalRequest,
    answer: zBarrierAnswer,
    handler: async (hub, call) => {
      const { params, body, caller } = call
      const { name } = params
      const { who, parties, expect } = body
      const lease = leaseWish(hub, body, call)
      const session = sessionOf(body, call)
      const arrival = { name, who, parties, session, by: caller.id, label: caller.label, lease }
      return hub.waits.within(call, waitOf(body), async (wait) => {
        const put = await hub.barriers.arrive(arrival, wait.signal)
        const state = await hub.barriers.state(name, put.generation, wait, who)
        checkThere(state, who)
        return { ...answerOf(name, state, expect), lease: hub.leases.seal(put.leaseId, caller.id) }
      })
    },
  }),
  route({
    method: 'GET',
    url: '/v1/barriers/:name',
    id: 'getBarrier',
    summary: 'Who has arrived, and who is missing of those expected; waits until the generation has passed',
    details:
      'The open generation unless told. With `who` it waits no longer than that one is there: 410 when its lease has ended.',
    access: {
      says: '`read:barrier/{name}`, or `write:barrier/{name}/{who}` with `who`',
      check: (caller, { params, query }) => {
        const { name } = params as { name: string }
        if (allows(caller.scopes, 'read', `barrier/${name}`)) return
        const { who } = query as { readonly who?: string }
        if (who === undefined) throw refused(`read:barrier/${name}`)
        checkParty(caller, name, who)
      },
    },
    params: zBarrier,
    query: z.strictObject({
      generation: zNumberText.optional(),
      waitMs: zWaitText,
      who: zWho.optional(),
      expect: zListed.optional(),
    }),
    answer: zBarrierAnswer,
    handler: async (hub, call) => {
      const { generation, waitMs = 0, who, expect } = call.query
      const { name } = call.params
      return hub.waits.within(call, waitMs, async (wait) => {
        const state = await hub.barriers.state(name, generation, wait, who)
        if (who !== undefined) checkThere(state, who)
        return answerOf(name, state, expect)
      })
    },
  }),
  route({
    method: 'GET',
    url: '/v1/barriers/:name/observe',
    id: 'observeBarrier',
    summary: 'The open generation as server-sent events, at once and whenever it is different',
    access: ['read:barrier/{name}'],
    params: zBarrier,
    answerType: 'text/event-stream',
    handler: async (hub, call) => {
      const { name } = call.params
      await observe(hub, call, 'barrier', async (last, wait) =>
        hub.board.until(
          `barrier/${name}`,
          () => {
            const text = JSON.stringify(answerOf(name, hub.barriers.seen(name)))
            return text === last ? undefined : { text }
          },
          wait,
        ),
      )
      return undefined
    },
  }),
  route({
    method: 'DELETE',
    url: '/v1/barriers/:name/arrivals/:who',
    id: 'leaveBarrier',
    summary: 'Leaves a barrier; waits until all of the generation have left, up to `waitMs`',
    details: '`arrived` holds those who have not.',
    access: {
      says: '`write:barrier/{name}/{who}`',
      check: (caller, { params }) => {
        const { name, who } = params as z.output<typeof zParty>
        checkParty(caller, name, who)
      },
    },
    params: zParty,
    query: z.strictObject({ waitMs: zWaitText }),
    answer: zBarrierAnswer,
    handler: async (hub, call) => {
      const { name, who } = call.params
      const { waitMs = 0 } = call.query
      return hub.waits.within(call, waitMs, async (wait) => {
        const generation = await hub.barriers.leave(name, who)
        const inside = await hub.barriers.inside(name, generation, wait)
        const state = await hub.barriers.state(name, generation, { ...wait, ms: 0 })
        return answerOf(name, { ...state, arrived: inside })
      })
    },
  }),
]

function checkParty({ scopes }: Caller, name: string, who: string): void {
  const key = `barrier/${name}/${encodeURIComponent(who)}`
  if (allows(scopes, 'write', key)) return
  throw refused(`write:${key}`)
}

function refused(scope: string): FlotillaError {
  return new FlotillaError('FORBIDDEN', 'your token has no right to this barrier', {
    hint: `It would need the scope ${scope}`,
  })
}

/** Throws `LEASE_ENDED` where somebody waits who is no longer counted. */
function checkThere({ passed, arrived }: BarrierState, who: string): void {
  if (passed || arrived.includes(who)) return
  throw new FlotillaError('LEASE_ENDED', `${who} is not at the barrier any more`, {
    hint: 'Its lease was not renewed in time, or it has left. Arrive again.',
  })
}

function answerOf(name: string, state: BarrierState, expect?: readonly string[]): BarrierAnswer {
  return { name, ...state, ...(expect && { missing: missingOf(expect, state.arrived) }) }
}
