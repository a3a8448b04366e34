import { z } from 'zod'
import { isJsonObject, type Json, type JsonObject } from '../../core/json-patch/json.ts'
import { keys } from '../../core/keys.ts'
import type { Store } from '../../core/store.ts'
import { effectiveParam } from '../../profiles/effective.ts'
import { type Route, route } from '../../hub/route.ts'
import { askingOf, PREFIX, sendHead, sendJson, zAnyQuery } from './answers.ts'
import { filtered, paramsIn, type Query, slimmed } from './lists.ts'
import { patched } from './patches.ts'
import { type About, notFound, Refusal } from './refusal.ts'
import { onceOfRetry, type Retries } from './retries.ts'
import { changeThere, type EditThere } from './change-there.ts'
import { type Asking, type Kind, sourcesOf, type Thing } from './things.ts'

const zKey = z.strictObject({ key: z.string().max(200) })
const MAX_WAIT_MS = 600_000

/** What can be done with the objects of a kind as a whole. */
export function objectRoutes(kind: Kind, retries: Retries): readonly Route[] {
  const { model } = kind
  const about = (type: string, key?: string): About => ({ model, key, type })
  const list = (method: 'GET' | 'HEAD'): Route =>
    route({
      method,
      url: `${PREFIX}/${model}`,
      id: `drp_${method}_${model}`,
      summary: `As Digital Rebar's list of ${model}`,
      access: 'token',
      query: zAnyQuery,
      handler: async (hub, call) => {
        const asking = askingOf(hub, call)
        const all = await kind.list(asking)
        const counting = await countingFor(all, asking, call.query)
        const { things, matched, total } = filtered(all, call.query, { about: about(method), counting })
        call.reply.headers({
          'x-drp-list-count': String(things.length),
          'x-drp-list-total-count': String(total),
          'x-drp-list-filter-count': String(matched),
        })
        if (method === 'HEAD') return sendHead(call)
        return sendJson(
          call,
          200,
          things.map(({ object }) => slimmed(object, call.query)),
        )
      },
    })
  const show = (method: 'GET' | 'HEAD'): Route =>
    route({
      method,
      url: `${PREFIX}/${model}/:key`,
      id: `drp_${method}_${model}_one`,
      summary: `As Digital Rebar's one of ${model}`,
      access: 'token',
      params: zKey,
      query: zAnyQuery,
      handler: async (hub, call) => {
        const asking = askingOf(hub, call)
        const thing = await shown(kind, asking, call.params.key)
        if (thing === undefined) {
          await call.reply.status(304).send()
          return undefined
        }
        call.reply.header('etag', thing.etag)
        return method === 'HEAD' ? sendHead(call) : sendJson(call, 200, slimmed(thing.object, call.query))
      },
    })
  return [list('GET'), list('HEAD'), show('GET'), show('HEAD'), ...changes(kind, retries)]
}

function changes(kind: Kind, retries: Retries): readonly Route[] {
  const { model } = kind
  const one = (method: 'PATCH' | 'PUT' | 'DELETE', action: string, edit: Edit): Route =>
    route({
      method,
      url: `${PREFIX}/${model}/:key`,
      id: `drp_${method}_${model}`,
      summary: `As Digital Rebar's ${action} of ${model}`,
      access: 'token',
      takesPatches: true,
      params: zKey,
      query: zAnyQuery,
      body: z.unknown(),
      handler: async (hub, call) => {
        const body = (call.body ?? null) as Json
        const change = { key: call.params.key, action, edit: edit(body) }
        const thing = await changeThere({ kind, retries }, askingOf(hub, call), change)
        call.reply.header('etag', thing.etag)
        return sendJson(call, 200, thing.object)
      },
    })
  return [
    route({
      method: 'POST',
      url: `${PREFIX}/${model}`,
      id: `drp_POST_${model}`,
      summary: `As Digital Rebar's creation of ${model}`,
      access: 'token',
      query: zAnyQuery,
      body: z.unknown(),
      handler: async (hub, call) => {
        const body = (call.body ?? null) as Json
        const name = isJsonObject(body) ? body['Name'] : undefined
        const about = { model, type: 'CREATE' }
        if (typeof name !== 'string' || name === '') throw new Refusal(400, about, ['Empty key not allowed'])
        checkName(name, model)
        const asking = askingOf(hub, call)
        const change = { action: 'create', once: onceOfRetry(asking, call.body), edit: () => body as JsonObject }
        const thing = await kind.change(asking, name, change)
        call.reply.header('etag', thing.etag)
        return sendJson(call, 201, thing.object)
      },
    }),
    one('PATCH', 'patch', (body) => (object, about) => objectIn(patched(object, body, 'object', about), about)),
    one('PUT', 'update', (body) => (_object, about) => objectIn(body, about)),
    one('DELETE', 'delete', () => () => undefined),
  ]
}

type Edit = (body: Json) => EditThere

/** The names that both can have: Digital Rebar's own rule allows more, among it capitals. */
function checkName(name: string, model: string): void {
  if (/^[a-z0-9](?:[a-z0-9._-]{0,57}[a-z0-9])?$/.test(name) && !name.includes('..')) return
  throw new Refusal(422, { model, key: name.slice(0, 100), type: 'ValidationError' }, [
    `Invalid Name \`${name.slice(0, 100)}\``,
    'a name has 1 to 59 of a-z 0-9 . _ - and starts and ends with a letter or digit',
  ])
}

function objectIn(value: Json, about: About): JsonObject {
  if (isJsonObject(value)) return value
  throw new Refusal(406, about, ['json: cannot unmarshal into an object'])
}

/** With `If-None-Match` and `Prefer: wait=30s` another state than that; undefined where it stays as it was. */
async function shown(kind: Kind, asking: Asking, key: string): Promise<Thing | undefined> {
  const { request } = asking
  const find = async (): Promise<Thing> => {
    const thing = await kind.find(asking, key)
    if (thing === undefined) throw notFound({ model: kind.model, key, type: request.method })
    return thing
  }
  const thing = await find()
  const match = request.headers['if-none-match']
  if (match === undefined || match !== thing.etag) return thing
  const ms = waitIn(request.headers['prefer'])
  if (ms === 0) return undefined
  await kind.untilOther(asking, thing, ms)
  const later = await find()
  return later.etag === match ? undefined : later
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, '': 1000 }

function waitIn(prefer: string | readonly string[] | undefined): number {
  const [, count, unit = ''] = /(?:^|[,;\s])wait=(\d{1,6})(ms|s|m)?/.exec([prefer].flat().join(',')) ?? []
  return Math.min(Number(count ?? 0) * (UNITS[unit] ?? 0), MAX_WAIT_MS)
}

/** What counts where a param that is asked about is not set: of profiles, of all, or its default. */
async function countingFor(
  all: readonly Thing[],
  asking: Asking,
  query: Query,
): Promise<ReadonlyMap<string, JsonObject>> {
  const params = paramsIn(query)
  const found = new Map<string, JsonObject>()
  if (params.length === 0) return found
  const store = await readBefore(asking.hub.store, params)
  for (const thing of all) {
    const sources = await sourcesOf(asking, thing, store)
    const values = await Promise.all(
      params.map(async (param) => [param, (await effectiveParam(store, { ...sources, param }))?.value]),
    )
    found.set(thing.key, Object.fromEntries(values.filter(([, value]) => value !== undefined)) as JsonObject)
  }
  return found
}

/** All profiles, and what defines these params, for many questions: each object of a list has mostly the same. */
async function readBefore(store: Store, params: readonly string[]): Promise<Pick<Store, 'get'>> {
  const [profiles, ...definitions] = await Promise.all([
    store.list(keys.profiles),
    ...params.map(async (param) => store.get(keys.param(param))),
  ])
  const defined = definitions.filter((entry) => entry !== undefined)
  const known = new Map([...profiles.entries, ...defined].map((entry) => [entry.key, entry]))
  return { get: (key) => Promise.resolve(known.get(key)) }
}
