import { z } from 'zod'
import type { JsonObject } from '../../core/json-patch/json.ts'
import { keys } from '../../core/keys.ts'
import { defaultOf, type Definition, isParamName } from '../../core/profile/profile.ts'
import { allows } from '../../core/scope.ts'
import { readDefinition } from '../../profiles/definitions.ts'
import { type Face, type FaceAnswer, type Failure, type Route, route } from '../../hub/route.ts'
import { askingOf, PREFIX, sendJson, zAnyQuery } from './answers.ts'
import { Events } from './events.ts'
import { infoOf } from './info.ts'
import { machinesKind } from './machines.ts'
import { metaRoutes } from './meta-routes.ts'
import { objectRoutes } from './object-routes.ts'
import { paramRoutes } from './param-routes.ts'
import { profilesKind } from './profiles.ts'
import { type About, asRefusal, notFound } from './refusal.ts'
import { Retries } from './retries.ts'
import { ordered } from './shapes.ts'
import type { Kind } from './things.ts'
import { tokenFor } from './users.ts'

/**
 * The part of Digital Rebar's API (`/api/v3`) that its command line needs for clusters: profiles, machines, their params and meta,
 * tokens, events. Everything is done by the services of the hub, so what loses a race there loses it here, and nothing else.
 */
export function drpFace(): Face {
  const retries = new Retries()
  const machines = machinesKind()
  const kinds: readonly Kind[] = [profilesKind, machines]
  const events = new Events()
  return {
    realm: 'dr-provision',
    routes: [
      ...kinds.flatMap((kind) => [...objectRoutes(kind, retries), ...paramRoutes(kind, retries)]),
      ...metaRoutes(kinds, retries),
      ...definitionRoutes,
      infoRoute,
      tokenRoute(machines),
      ...NOTHING_ELSE,
    ],
    errorBody: ({ message }) => ({ Model: '', Key: '', Type: '', Messages: [message], Code: 0 }),
    answerOf,
    upgrade: (hub, request, socket, head) => events.upgrade(hub, request, socket, head),
  }
}

/** Whoever shows no token, and whoever shows a wrong one, is told by an empty body, as its clients know it. */
function answerOf({ error, status, known, request }: Failure): FaceAnswer {
  if (known.code === 'UNAUTHENTICATED') {
    if (request.headers.authorization !== undefined) return { status: 403 }
    return { status: 401, headers: { 'www-authenticate': 'dr-provision' } }
  }
  const type = request.headers['content-type']?.split(';')[0] ?? ''
  const isType = known.code === 'BAD_REQUEST' && known.message.startsWith('the body is of a type')
  const message = isType ? `Invalid content type: ${type}` : known.message
  const refusal = asRefusal(isType ? undefined : error, status, message, aboutOf(request.method, request.url))
  return { status: refusal.status, headers: { 'content-type': 'application/json; charset=utf-8' }, body: refusal.body }
}

function aboutOf(method: string, url: string): About {
  const [model = '', key = ''] = url.slice(PREFIX.length + 1).split(/[/?]/)
  return { model, key, type: method }
}

const infoRoute = route({
  method: 'GET',
  url: `${PREFIX}/info`,
  id: 'drp_info',
  summary: "As Digital Rebar's /info",
  access: 'token',
  query: zAnyQuery,
  handler: async (hub, call) => sendJson(call, 200, infoOf(askingOf(hub, call)) as JsonObject),
})

function tokenRoute(machines: Kind): Route {
  return route({
    method: 'GET',
    url: `${PREFIX}/users/:user/token`,
    id: 'drp_users_token',
    summary: "As Digital Rebar's token of a user: a token of ours is the password, whatever the name",
    access: 'token',
    params: z.strictObject({ user: z.string().max(200) }),
    query: zAnyQuery,
    handler: async (hub, call) => {
      const answer = await tokenFor(askingOf(hub, call), call.params.user, call.query, machines)
      return sendJson(call, 200, answer as JsonObject)
    },
  })
}

const definitionRoutes: readonly Route[] = [
  route({
    method: 'GET',
    url: `${PREFIX}/params/*`,
    id: 'drp_params',
    summary: "As Digital Rebar's definition of a param",
    access: 'token',
    params: z.strictObject({ '*': z.string().max(512) }),
    query: zAnyQuery,
    handler: async (hub, call) => {
      const name = call.params['*']
      const isSeen = allows(call.caller.scopes, 'read', keys.params) && isParamName(name)
      const known = isSeen ? await readDefinition(hub.store, name) : undefined
      if (known === undefined) throw notFound({ model: 'params', key: name, type: 'GET' })
      return sendJson(call, 200, paramObject(known.definition))
    },
  }),
]

/** None is secure: clients would encrypt its values themselves. */
function paramObject(definition: Definition): JsonObject {
  const { name, description, schema } = definition
  const fallback = defaultOf(definition)
  const whole = typeof schema === 'object' && schema !== null ? (schema as JsonObject) : {}
  return {
    Validated: true,
    Available: true,
    Errors: [],
    ReadOnly: false,
    Meta: {},
    Endpoint: '',
    Bundle: '',
    Name: name,
    Description: description,
    Documentation: '',
    Secure: false,
    Schema: ordered({ ...whole, ...(fallback !== undefined && { default: fallback }) }),
  }
}

/** In the form that its clients read. */
const NOTHING_ELSE = (['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const).map((method) =>
  route({
    method,
    url: `${PREFIX}/*`,
    id: `drp_${method}_nothing`,
    summary: 'What Digital Rebar has and Flotilla has not',
    access: 'token',
    takesPatches: true,
    params: z.looseObject({}),
    ...(method !== 'GET' && method !== 'HEAD' && { body: z.unknown() }),
    handler: async (_hub, { request }) => {
      throw notFound(aboutOf(request.method, request.url))
    },
  }),
)
