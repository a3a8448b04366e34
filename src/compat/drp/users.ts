import { keys } from '../../core/keys.ts'
import { allows, formatScope, type Scope } from '../../core/scope.ts'
import { shownIn } from '../../hub/auth.ts'
import { checkCovers, issueToken } from '../../hub/tokens.ts'
import { scopesOf } from './claims.ts'
import { infoOf } from './info.ts'
import { one, type Query } from './lists.ts'
import { type About, notAllowed, Refusal } from './refusal.ts'
import type { Asking, Kind } from './things.ts'

const HOUR_S = 3600
const DAY_S = 24 * HOUR_S
const KNOWN = new Set(['ttl', 'scope', 'action', 'specific', 'roles'])

/**
 * `GET /users/:user/token`. Asked for nothing, it is who has a token already and is opening a session: they go on with that. Else a
 * new one, with what was asked for and no more than the one that asks has, which ends with it at the latest.
 */
export async function tokenFor(asking: Asking, user: string, query: Query, machines: Kind): Promise<object> {
  const { hub, caller, request } = asking
  const about: About = { model: 'users', key: user, type: request.method }
  const unknown = Object.keys(query).find((name) => !KNOWN.has(name))
  if (unknown !== undefined || 'roles' in query) {
    throw new Refusal(400, about, [`a token cannot be limited by ${(unknown ?? 'roles').slice(0, 50)} here`])
  }
  const claims = { scope: one(query, 'scope'), action: one(query, 'action'), specific: one(query, 'specific') }
  const isLimited = Object.values(claims).some((claim) => claim !== undefined)
  const Info = infoOf(asking)
  if (!isLimited && !('ttl' in query)) return { Token: shownIn(request.headers.authorization ?? '', true), Info }
  if (!allows(caller.scopes, 'write', keys.tokens)) throw notAllowed(request.url, `users token ${user}`)
  const ttlMs = secondsIn(one(query, 'ttl'), about) * 1000
  const { scope = '*', action = '*', specific = '*' } = claims
  const named = await withNames(asking, scope, specific, machines)
  const scopes = isLimited ? scopesOf({ scope, action, specific: named }, caller.scopes, about) : caller.scopes
  const answer = await mint(asking, scopes, user, ttlMs)
  hub.log.info('token made', { id: answer.id, label: answer.label, scopes: answer.scopes, by: caller.id })
  return { Token: answer.token, Info }
}

/** A token that may do nothing but ask who answers has to have some scope. */
const NOTHING: Scope = { verb: 'read', prefix: 'nothing/' }

async function mint({ hub, caller }: Asking, scopes: readonly Scope[], user: string, ttlMs: number) {
  checkCovers(caller, scopes)
  const asked = scopes.length === 0 ? [NOTHING] : scopes
  return await issueToken(hub.store, hub.clock, {
    label: `drpcli ${user} by ${caller.label}`.slice(0, 100),
    scopes: asked.map((each) => formatScope(each)),
    expiresAtMs: Math.min(hub.clock.nowMs() + ttlMs, caller.expiresAtMs ?? Infinity),
    madeFrom: caller.id,
  })
}

/** Machines are named by their UUID there, by the name of the node in our scopes. */
async function withNames(asking: Asking, scope: string, specific: string, machines: Kind): Promise<string> {
  if (!scope.split(',').includes('machines') || specific === '*') return specific
  const names = await Promise.all(
    specific.split(',').map(async (key) => {
      const thing = await machines.find(asking, key.trim())
      return thing === undefined ? key : thing.name
    }),
  )
  return names.join(',')
}

/** Of digits: seconds. Bounded, where Digital Rebar takes 0 for 63 years. */
function secondsIn(text: string | undefined, about: About): number {
  if (text === undefined) return HOUR_S
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (seconds >= 1 && seconds <= DAY_S) return seconds
  throw new Refusal(400, about, [`ttl is 1 to ${DAY_S} seconds`])
}
