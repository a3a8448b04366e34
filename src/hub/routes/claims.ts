import { z } from 'zod'
import type { ClaimAnswer, ClaimRequest, ClaimView, LineAnswer } from '../../core/api-coordination.ts'
import type { ClaimState, FoundClaim } from '../../coordination/claims.ts'
import { type ClaimKind, holdersOf, SHARED_SEATS } from '../../core/coordination/claims.ts'
import { formatFence, parseFence } from '../../core/coordination/fences.ts'
import { FlotillaError } from '../../core/errors.ts'
import { keys } from '../../core/keys.ts'
import { allows } from '../../core/scope.ts'
import type { Caller } from '../caller.ts'
import type { HubContext } from '../context.ts'
import { leaseWish, sessionOf, waitOf } from '../lease-wish.ts'
import { observe } from '../observe.ts'
import { type Call, type Route, route } from '../route.ts'
import { zName, zNumberText } from '../schemas/common.ts'
import {
  zClaimAnswer,
  zClaimRequest,
  zLineAnswer,
  zLinesAnswer,
  zProclaimRequest,
  zWaitText,
  zWho,
} from '../schemas/coordination.ts'

const zLineParams = z.strictObject({ name: zName })
const zClaimParams = z.strictObject({ name: zName, who: zWho })
type ClaimParams = z.output<typeof zClaimParams>

interface Words {
  readonly kind: ClaimKind
  readonly base: 'elections' | 'locks'
  readonly contend: 'campaign' | 'acquire'
  readonly Name: 'Election' | 'Lock'
}

export const electionRoutes: readonly Route[] = routesOf({
  kind: 'elect',
  base: 'elections',
  contend: 'campaign',
  Name: 'Election',
})
export const lockRoutes: readonly Route[] = routesOf({ kind: 'lock', base: 'locks', contend: 'acquire', Name: 'Lock' })

function routesOf(words: Words): readonly Route[] {
  return [contending(words), ...looking(words), stateRoute(words), ...owning(words)]
}

function contending({ kind, base, contend }: Words): Route {
  return route({
    method: 'POST',
    url: `/v1/${base}/:name/${contend}`,
    id: contend,
    summary: kind === 'elect' ? 'Contends for the leadership' : 'Contends for a lock, or for one of its slots',
    details:
      'One put at the end of the line, under a lease: `ttlMs` takes one along, `lease` names one of the caller. Holds as soon as ' +
      'fewer than `seats` are ahead, in order of coming, and until it is released or its lease ends. The answer has the fencing ' +
      'token, good while it holds; it may wait for that up to `waitMs`, not longer than half of `ttlMs`. Asking again with the same ' +
      '`session`, or the same `Idempotency-Key`, answers the same.',
    access: {
      says: `\`write:${kind}/{name}/{who}\``,
      check: (caller, { params, body }) =>
        checkWrite(caller, kind, { ...(params as { name: string }), who: (body as ClaimRequest).who }, body),
    },
    params: zLineParams,
    body: zClaimRequest,
    answer: zClaimAnswer,
    handler: async (hub, call) => {
      const { params, body, caller } = call
      const { name } = params
      const { who, value, node = caller.node, seats = body.shared === true ? SHARED_SEATS : 1 } = body
      const session = sessionOf(body, call)
      const { expected } = hub.store
      const under = expected.length === 0 ? {} : { under: expected }
      const record = { seats, session, by: caller.id, label: caller.label, node, value, ...under }
      const lease = leaseWish(hub, body, call)
      return hub.waits.within(call, waitOf(body), async (wait) => {
        const put = await hub.claims.contend({ kind, name, who, lease, ...record }, wait)
        const state = await hub.claims.state({ kind, name, revision: put.revision }, wait)
        if (state === undefined) throw gone(who)
        return { ...answerOf(kind, name, who, state), lease: hub.leases.seal(put.leaseId, caller.id) }
      })
    },
  })
}

function looking({ kind, base, Name }: Words): readonly Route[] {
  return [
    route({
      method: 'GET',
      url: `/v1/${base}`,
      id: `list${Name}s`,
      summary: `Every ${Name.toLowerCase()} that somebody contends for, and who holds`,
      details: 'Those that the token may read.',
      access: 'token',
      answer: zLinesAnswer,
      handler: async ({ claims }, { caller }) => {
        const lines = [...(await claims.lines(kind))]
        const seen = lines.filter(([name]) => allows(caller.scopes, 'read', `${kind}/${name}`))
        return { lines: seen.map(([name, line]) => lineAnswer(name, line)) }
      },
    }),
    route({
      method: 'GET',
      url: `/v1/${base}/:name`,
      id: `get${Name}`,
      summary: 'Who holds, and who waits in which order',
      access: [`read:${kind}/{name}`],
      params: zLineParams,
      answer: zLineAnswer,
      handler: async ({ claims }, { params }) => lineAnswer(params.name, (await claims.line(kind, params.name)).line),
    }),
    route({
      method: 'GET',
      url: `/v1/${base}/:name/observe`,
      id: `observe${Name}`,
      summary: 'The same as server-sent events, at once and whenever it is different',
      access: [`read:${kind}/{name}`],
      params: zLineParams,
      answerType: 'text/event-stream',
      handler: async (hub, call) => {
        const { name } = call.params
        await observe(hub, call, 'line', async (last, wait) =>
          hub.board.until(
            `${kind}/${name}`,
            () => {
              const text = JSON.stringify(lineAnswer(name, hub.claims.seen(kind, name)))
              return text === last ? undefined : { text }
            },
            wait,
          ),
        )
        return undefined
      },
    }),
  ]
}

function stateRoute({ kind, base, Name }: Words): Route {
  return route({
    method: 'GET',
    url: `/v1/${base}/:name/claims/:who`,
    id: `get${Name}Claim`,
    summary:
      'How it stands with one contender; waits until it holds, or with `until=gone` until it is gone, up to `waitMs`',
    details: '410 when it is gone: its lease has ended, or it was released.',
    access: {
      says: `\`write:${kind}/{name}/{who}\` or \`read:${kind}/{name}\``,
      check: (caller, { params }) => {
        const { name } = params as ClaimParams
        if (!allows(caller.scopes, 'read', `${kind}/${name}`)) checkWrite(caller, kind, params as ClaimParams)
      },
    },
    params: zClaimParams,
    query: z.strictObject({
      waitMs: zWaitText,
      revision: zNumberText.optional(),
      until: z.enum(['held', 'gone']).optional(),
    }),
    answer: zClaimAnswer,
    handler: async (hub, call) => {
      const { name, who } = call.params
      const { waitMs = 0, until } = call.query
      const revision = call.query.revision ?? (await hub.claims.find(kind, name, who))?.revision
      if (revision === undefined) throw gone(who)
      return hub.waits.within(call, waitMs, async (wait) => {
        const state = await hub.claims.stateNow({ kind, name, revision, until }, wait)
        if (state === undefined) throw gone(who)
        return answerOf(kind, name, who, state)
      })
    },
  })
}

function owning({ kind, base }: Words): readonly Route[] {
  const mayWrite = {
    says: `\`write:${kind}/{name}/{who}\``,
    check: (caller: Caller, { params }: Pick<Call<ClaimParams, unknown, unknown>['request'], 'params'>) =>
      checkWrite(caller, kind, params as ClaimParams),
  }
  return [
    route({
      method: 'DELETE',
      url: `/v1/${base}/:name/claims/:who`,
      id: kind === 'elect' ? 'resign' : 'release',
      summary: 'Takes a contender out of the line, whether it holds or waits',
      details: 'With `revision` only if it is that claim. 404 when it is not there.',
      access: mayWrite,
      params: zClaimParams,
      query: z.strictObject({ revision: zNumberText.optional() }),
      status: 204,
      handler: async ({ claims, log }, { params, query, caller }) => {
        const { name, who } = params
        if (!(await claims.release(kind, name, who, query.revision))) throw notThere(who, name)
        log.info('claim released', { kind, name, who, by: caller.id })
        return undefined
      },
    }),
    route({
      method: 'PUT',
      url: `/v1/${base}/:name/claims/:who/value`,
      id: kind === 'elect' ? 'proclaim' : 'annotateLock',
      summary: 'Lets others know something for as long as the claim holds',
      details: 'Needs `revision`; 412 where that claim does not hold.',
      access: mayWrite,
      params: zClaimParams,
      query: z.strictObject({ revision: zNumberText }),
      body: zProclaimRequest,
      status: 204,
      handler: async ({ claims }, { params, query, body }) => {
        const key = keys.claim(kind, params.name, params.who)
        await claims.proclaim(parseFence(formatFence(key, query.revision)), body.value)
        return undefined
      },
    }),
  ]
}

/** Throws `FORBIDDEN`. Whoever is to show a node as a leader must be allowed to show something for it. */
function checkWrite({ scopes, node: own }: Caller, kind: ClaimKind, { name, who }: ClaimParams, body?: unknown): void {
  const key = keys.claim(kind, name, who)
  if (!allows(scopes, 'write', key)) throw refused(key, `${kind}/${name}`)
  const { node } = (body ?? {}) as { readonly node?: string }
  if (node !== undefined && node !== own && !allows(scopes, 'write', keys.meta(node))) throw refused(keys.meta(node))
}

/** Names of contenders are made up for each run unless told: `any` covers them all. */
function refused(key: string, any = key): FlotillaError {
  return new FlotillaError('FORBIDDEN', `your token has no right to write ${key}`, {
    hint: `It would need the scope write:${any}${any === key ? '' : `, or write:${key} for that name alone`}`,
  })
}

function gone(who: string): FlotillaError {
  return new FlotillaError('LEASE_ENDED', `${who} does not contend any more`, {
    hint: 'Its lease was not renewed in time, or it was released. Contend again.',
  })
}

function notThere(who: string, name: string): FlotillaError {
  return new FlotillaError('NOT_FOUND', `${who} does not contend for ${name}`)
}

function answerOf(kind: ClaimKind, name: string, who: string, state: ClaimState): ClaimAnswer {
  const { revision, holds, position, ahead } = state
  return { name, who, fence: formatFence(keys.claim(kind, name, who), revision), revision, holds, position, ahead }
}

function lineAnswer(name: string, line: readonly FoundClaim[]): LineAnswer {
  const holders = holdersOf(line)
  return { name, holders: holders.map(viewOf), waiting: line.slice(holders.length).map(viewOf) }
}

function viewOf({ who, key, revision, seats, record, value }: FoundClaim): ClaimView {
  const { label, atMs, node } = record
  const own = seats === SHARED_SEATS ? {} : { seats }
  return { who, fence: formatFence(key, revision), revision, ...own, label, atMs, node, value }
}

/** The elections in which each node leads, as this hub last heard of it. */
export function leadersByNode({ board, claims }: HubContext): ReadonlyMap<string, readonly string[]> {
  const names = new Set([...board.all(keys.claimsOfAll('elect'))].map(({ key }) => key.split('/')[1] ?? ''))
  const pairs = [...names].flatMap((name) =>
    holdersOf(claims.seen('elect', name)).flatMap(({ record }) =>
      record.node === undefined ? [] : [[record.node, name] as const],
    ),
  )
  const byNode = Map.groupBy(pairs, ([node]) => node)
  return new Map([...byNode].map(([node, of]) => [node, of.map(([, name]) => name).toSorted()]))
}
