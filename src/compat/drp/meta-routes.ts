import { z } from 'zod'
import { isJsonObject, type Json } from '../../core/json-patch/json.ts'
import { type Route, route } from '../../hub/route.ts'
import { askingOf, PREFIX, sendMap, zAnyQuery } from './answers.ts'
import { changeThere, type EditThere } from './change-there.ts'
import { patched } from './patches.ts'
import { type About, notFound, Refusal } from './refusal.ts'
import type { Retries } from './retries.ts'
import { type Kind, memberMap } from './things.ts'

const zPlace = z.strictObject({ model: z.string().max(64), key: z.string().max(200) })

/** Icon, colour and the like of profiles and machines. */
export function metaRoutes(kinds: readonly Kind[], retries: Retries): readonly Route[] {
  const url = `${PREFIX}/meta/:model/:key` as const
  const kindOf = ({ model, key }: z.output<typeof zPlace>, type: string): [Kind, About] => {
    const kind = kinds.find((each) => each.model === model)
    if (kind === undefined) throw new Refusal(400, { model, type }, [`No such Model: ${model}`])
    return [kind, { model, key, type }]
  }
  return [
    route({
      method: 'GET',
      url,
      id: 'drp_meta',
      summary: "As Digital Rebar's meta of an object",
      access: 'token',
      params: zPlace,
      query: zAnyQuery,
      handler: async (hub, call) => {
        const [kind, about] = kindOf(call.params, 'GET')
        const thing = await kind.find(askingOf(hub, call), call.params.key)
        if (thing === undefined) throw notFound(about)
        return sendMap(call, memberMap(thing.object, 'Meta'))
      },
    }),
    route({
      method: 'PATCH',
      url,
      id: 'drp_meta_patch',
      summary: "As Digital Rebar's change of the meta of an object",
      access: 'token',
      takesPatches: true,
      params: zPlace,
      query: zAnyQuery,
      body: z.unknown(),
      handler: async (hub, call) => {
        const { key } = call.params
        const [kind] = kindOf(call.params, 'PATCH')
        const body = (call.body ?? null) as Json
        const edit: EditThere = (object, about) => ({
          ...object,
          Meta: textsIn(patched(memberMap(object, 'Meta'), body, 'map', about), about),
        })
        const thing = await changeThere({ kind, retries }, askingOf(hub, call), { key, action: 'update', edit })
        return sendMap(call, memberMap(thing.object, 'Meta'))
      },
    }),
  ]
}

function textsIn(value: Json, about: About): Json {
  if (isJsonObject(value) && Object.values(value).every((each) => typeof each === 'string')) return value
  throw new Refusal(409, about, ['json: cannot unmarshal into Go value of type models.Meta'])
}
