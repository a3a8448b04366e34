import { z } from 'zod'
import { isJsonArray, isJsonObject, type Json, type JsonObject, memberOf } from '../../core/json-patch/json.ts'
import { checkParamName, defaultOf } from '../../core/profile/profile.ts'
import { readDefinition } from '../../profiles/definitions.ts'
import { effectiveParam, effectiveParams } from '../../profiles/effective.ts'
import { type Route, route } from '../../hub/route.ts'
import { askingOf, PREFIX, sendMap, zAnyQuery } from './answers.ts'
import { changeThere, type EditThere } from './change-there.ts'
import { one, only, type Query } from './lists.ts'
import { patched } from './patches.ts'
import { type About, notFound, Refusal } from './refusal.ts'
import type { Retries } from './retries.ts'
import { type Asking, type Kind, memberMap, sourcesOf, type Thing } from './things.ts'

const zKey = z.strictObject({ key: z.string().max(200) })
const zParam = z.strictObject({ key: z.string().max(200), '*': z.string().max(512) })

/** The params of profiles or machines. */
export function paramRoutes(kind: Kind, retries: Retries): readonly Route[] {
  return [...readRoutes(kind), ...mapRoutes(kind, retries), ...oneRoutes(kind, retries)]
}

function named<M extends string>(model: M, what: string) {
  return {
    id: `drp_${model}_params_${what}`,
    summary: `As Digital Rebar's params of ${model}: ${what}`,
    access: 'token',
    query: zAnyQuery,
  } as const
}

type ParamsEdit = (params: JsonObject, about: About) => JsonObject

async function change(kind: Kind, retries: Retries, asking: Asking, edit: ParamsEdit): Promise<Thing> {
  const { key } = asking.request.params as z.output<typeof zKey>
  const toParams: EditThere = (object, about) => ({ ...object, Params: edit(memberMap(object, 'Params'), about) })
  return await changeThere({ kind, retries }, asking, { key, action: 'update', edit: toParams })
}

function readRoutes(kind: Kind): readonly Route[] {
  const url = `${PREFIX}/${kind.model}/:key/params` as const
  return [
    route({
      method: 'GET',
      url,
      ...named(kind.model, 'all'),
      params: zKey,
      handler: async (hub, call) => {
        const asking = askingOf(hub, call)
        const params = await allParams(asking, await found(kind, asking, call.params.key), call.query)
        const wanted = one(call.query, 'params')
        return sendMap(call, wanted === undefined ? params : only(params, wanted.split(',')))
      },
    }),
    route({
      method: 'GET',
      url: `${url}/*`,
      ...named(kind.model, 'get'),
      params: zParam,
      handler: async (hub, call) => {
        const asking = askingOf(hub, call)
        const thing = await found(kind, asking, call.params.key)
        return sendMap(call, (await oneParam(asking, { thing, param: call.params['*'] }, call.query)) ?? null)
      },
    }),
  ]
}

function mapRoutes(kind: Kind, retries: Retries): readonly Route[] {
  const all = (method: 'POST' | 'PATCH', what: string, edit: (body: Json) => ParamsEdit): Route =>
    route({
      method,
      url: `${PREFIX}/${kind.model}/:key/params`,
      ...named(kind.model, what),
      takesPatches: true,
      params: zKey,
      body: z.unknown(),
      handler: async (hub, call) => {
        const thing = await change(kind, retries, askingOf(hub, call), edit((call.body ?? null) as Json))
        return sendMap(call, memberMap(thing.object, 'Params'))
      },
    })
  return [
    all('POST', 'replace', (body) => (_params, about) => mapIn(body, about)),
    all('PATCH', 'patch', (body) => (params, about) => mapIn(patched(params, body, 'map', about), about)),
  ]
}

function oneRoutes(kind: Kind, retries: Retries): readonly Route[] {
  const url = `${PREFIX}/${kind.model}/:key/params/*` as const
  return [
    route({
      method: 'POST',
      url,
      ...named(kind.model, 'set'),
      params: zParam,
      body: z.unknown(),
      handler: async (hub, call) => {
        const value = (call.body ?? null) as Json
        const param = call.params['*']
        checkParamName(param)
        await change(kind, retries, askingOf(hub, call), (params) => ({ ...params, [param]: value }))
        return sendMap(call, value)
      },
    }),
    route({
      method: 'DELETE',
      url,
      ...named(kind.model, 'remove'),
      params: zParam,
      handler: async (hub, call) => {
        const param = call.params['*']
        let old: Json = null
        await change(kind, retries, askingOf(hub, call), (params) => {
          const { [param]: value, ...rest } = params
          if (value === undefined || !Object.hasOwn(params, param)) {
            throw notFound({ model: 'params', key: param, type: 'DELETE' })
          }
          old = value
          return rest
        })
        return sendMap(call, old)
      },
    }),
  ]
}

async function found(kind: Kind, asking: Asking, key: string): Promise<Thing> {
  const thing = await kind.find(asking, key)
  if (thing === undefined) throw notFound({ model: kind.model, key, type: asking.request.method })
  return thing
}

function mapIn(value: Json, about: About): JsonObject {
  if (isJsonObject(value)) return value
  throw new Refusal(about.type === 'PATCH' ? 409 : 400, about, [
    'json: cannot unmarshal into Go value of type map[string]interface {}',
  ])
}

function isOn(query: Query, name: string): boolean {
  return one(query, name) === 'true'
}

async function allParams(asking: Asking, thing: Thing, query: Query): Promise<JsonObject> {
  if (!isOn(query, 'aggregate')) return memberMap(thing.object, 'Params')
  const effective = await effectiveParams(asking.hub.store, await sourcesOf(asking, thing))
  return Object.fromEntries([...effective].map(([param, { value }]) => [param, value]))
}

async function oneParam(
  asking: Asking,
  { thing, param }: { readonly thing: Thing; readonly param: string },
  query: Query,
): Promise<Json | undefined> {
  const { store } = asking.hub
  const isComposed = isOn(query, 'compose')
  if (!isOn(query, 'aggregate') && !isComposed) return memberOf(memberMap(thing.object, 'Params'), param)
  const { profiles, sees } = await sourcesOf(asking, thing)
  if (!isComposed) return (await effectiveParam(store, { profiles, sees, param }))?.value
  const fallback = defaultOf((await readDefinition(store, param))?.definition)
  const seen = profiles.map(({ name, params }) => (sees(name, param) ? memberOf(params, param) : undefined))
  const own = seen.filter((value) => value !== undefined)
  const all = fallback === undefined ? own : [...own, fallback]
  return all.length === 0 ? undefined : all.reduce((near, far) => composed(near, far))
}

/** The nearer one counts; maps are merged and lists joined, the nearer one first. */
function composed(near: Json, far: Json): Json {
  if (isJsonArray(near) && isJsonArray(far)) return [...near, ...far]
  if (!isJsonObject(near) || !isJsonObject(far)) return near
  const both = Object.keys(near).filter((name) => Object.hasOwn(far, name))
  const merged = both.map((name) => [name, composed(near[name] as Json, far[name] as Json)])
  return { ...far, ...near, ...Object.fromEntries(merged) } as JsonObject
}
