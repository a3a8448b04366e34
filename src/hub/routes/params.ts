import { z } from 'zod'
import { FlotillaError } from '../../core/errors.ts'
import { nodeOf } from '../../core/profile/profile.ts'
import { deleteDefinition, listDefinitions, putDefinition, readDefinition } from '../../profiles/definitions.ts'
import { effectiveParam, effectiveParams, profilesInOrder } from '../../profiles/effective.ts'
import { checkRead, checkReadSome, seen, sightOf } from '../profile-access.ts'
import { changeProfile, etagOf, isUnchanged, revisionIn } from '../profile-changes.ts'
import { type Route, route } from '../route.ts'
import { zFlagText, zName } from '../schemas/common.ts'
import {
  zChangeAnswer,
  zDefinitionAnswer,
  zDefinitionsAnswer,
  zParamName,
  zParamVerb,
  zProfileParamAnswer,
  zProfileParamsAnswer,
  zPutDefinition,
  zSetParam,
} from '../schemas/profiles.ts'
import { existing, patchIn, zNamed } from './profiles.ts'

const zParam = z.strictObject({ name: zName, param: zParamName })
const zDefined = z.strictObject({ param: zParamName })
const zAggregate = z.strictObject({ aggregate: zFlagText.optional() })
const zMap = z.record(z.string(), z.unknown())

const WRITES =
  '`write:profile/{name}/params/{param}`, with the param percent-encoded; read on it as well where it is compared'

/** Params of profiles. */
export const profileParamRoutes: readonly Route[] = [
  route({
    method: 'GET',
    url: '/v1/profiles/:name/params',
    id: 'getProfileParams',
    summary: 'The params of a profile; with `aggregate` also those of the profiles it names, and defaults',
    access: {
      says: '`read:profile/{name}/params`, or something in it',
      check: (caller, { params }) => checkReadSome(caller, (params as { name: string }).name),
    },
    params: zNamed,
    query: zAggregate,
    answer: zProfileParamsAnswer,
    handler: async (hub, call) => {
      const { name } = call.params
      const known = await hub.profiles.get(name)
      const revision = known?.revision ?? 0
      if (call.query.aggregate !== true) {
        const own = known ?? (await existing(hub, name))
        return isUnchanged(call, revision)
          ? undefined
          : { profile: name, revision, params: seen(call.caller, own).params }
      }
      if (known === undefined && nodeOf(name) === undefined) await existing(hub, name)
      const profiles = await profilesInOrder(hub.store, name)
      const effective = await effectiveParams(hub.store, { profiles, sees: sightOf(call.caller, name) })
      return {
        profile: name,
        revision,
        params: Object.fromEntries([...effective].map(([param, { value }]) => [param, value])),
        from: Object.fromEntries(
          [...effective].flatMap(([param, { from }]) => (from === undefined ? [] : [[param, from]])),
        ),
      }
    },
  }),
  route({
    method: 'PUT',
    url: '/v1/profiles/:name/params',
    id: 'putProfileParams',
    summary: 'Puts params in place of all that there are',
    access: ['write:profile/{name}/params'],
    params: zNamed,
    body: zMap,
    answer: zChangeAnswer,
    handler: async (hub, call) =>
      changeProfile(hub, { op: 'params', profile: call.params.name, params: call.body as never }, call),
  }),
  route({
    method: 'PATCH',
    url: '/v1/profiles/:name/params',
    id: 'patchProfileParams',
    summary: 'Changes params by JSON Patch or JSON Merge Patch, all of it or nothing; pointers start at the params',
    access: { says: WRITES, check: () => undefined },
    takesPatches: true,
    params: zNamed,
    body: z.unknown(),
    answer: zChangeAnswer,
    handler: async (hub, call) => {
      const patch = patchIn(call.request.headers['content-type'], call.body)
      return changeProfile(hub, { ...patch, profile: call.params.name, at: 'params' }, call)
    },
  }),
  route({
    method: 'GET',
    url: '/v1/profiles/:name/params/:param',
    id: 'getProfileParam',
    summary: 'One param, or its default where it is not set; with `aggregate` also from the profiles it names',
    access: {
      says: '`read:profile/{name}/params/{param}`, with the param percent-encoded',
      check: (caller, { params }) => {
        const { name, param } = params as z.output<typeof zParam>
        checkRead(caller, name, ['params', param])
      },
    },
    params: zParam,
    query: zAggregate,
    answer: zProfileParamAnswer,
    handler: async (hub, call) => {
      const { name, param } = call.params
      const known = await hub.profiles.get(name)
      if (known === undefined && nodeOf(name) === undefined) await existing(hub, name)
      const isAggregate = call.query.aggregate === true
      const profiles = isAggregate ? await profilesInOrder(hub.store, name) : known === undefined ? [] : [known.profile]
      const found = await effectiveParam(hub.store, { profiles, param, sees: sightOf(call.caller, name) })
      if (found === undefined) throw notSet(name, param)
      const revision = known?.revision ?? 0
      // With `aggregate`, other profiles than this one decide.
      if (isAggregate) return { profile: name, param, revision, ...found }
      return isUnchanged(call, revision) ? undefined : { profile: name, param, revision, ...found }
    },
  }),
  route({
    method: 'PUT',
    url: '/v1/profiles/:name/params/:param',
    id: 'setProfileParam',
    summary: 'Sets one param; with `ref` only where it has that value, or that default',
    access: { says: WRITES, check: () => undefined },
    params: zParam,
    body: zSetParam,
    answer: zChangeAnswer,
    handler: async (hub, call) => {
      const { name, param } = call.params
      return changeProfile(hub, { op: 'set', profile: name, param, ...call.body }, call)
    },
  }),
  route({
    method: 'POST',
    url: '/v1/profiles/:name/params/:param',
    id: 'changeProfileParam',
    summary: 'Adds a param that is not set yet, counts, or puts a value on a list and takes one off, in one call',
    details: '`op` is `add`, `increment` by `by`, `append` unless the list has it, or `take`. Nobody needs a loop.',
    access: { says: WRITES, check: () => undefined },
    params: zParam,
    body: zParamVerb,
    answer: zChangeAnswer,
    handler: async (hub, call) => {
      const { name, param } = call.params
      return changeProfile(hub, { profile: name, param, ...call.body }, call)
    },
  }),
  route({
    method: 'DELETE',
    url: '/v1/profiles/:name/params/:param',
    id: 'removeProfileParam',
    summary: 'Takes one param away',
    access: { says: WRITES, check: () => undefined },
    params: zParam,
    answer: zChangeAnswer,
    handler: async (hub, call) => {
      const { name, param } = call.params
      return changeProfile(hub, { op: 'remove', profile: name, param }, call)
    },
  }),
]

/** What holds for a param in whatever profile it is. */
export const definitionRoutes: readonly Route[] = [
  route({
    method: 'GET',
    url: '/v1/params',
    id: 'listParams',
    summary: 'The params that have a default or a schema',
    access: ['read:param/'],
    answer: zDefinitionsAnswer,
    handler: async ({ store }) => ({ params: await listDefinitions(store) }),
  }),
  route({
    method: 'GET',
    url: '/v1/params/:param',
    id: 'getParam',
    summary: 'Default and schema of a param',
    access: ['read:param/'],
    params: zDefined,
    answer: zDefinitionAnswer,
    handler: async ({ store }, call) => {
      const found = await readDefinition(store, call.params.param)
      if (found === undefined) throw new FlotillaError('NOT_FOUND', `the param ${call.params.param} is not defined`)
      return isUnchanged(call, found.revision) ? undefined : { ...found.definition, revision: found.revision }
    },
  }),
  route({
    method: 'PUT',
    url: '/v1/params/:param',
    id: 'putParam',
    summary: 'Gives a param a default and a schema, which new values then must match',
    details: 'The schema is a JSON Schema of 2020-12. Values that are there already stay.',
    access: ['write:param/'],
    params: zDefined,
    body: zPutDefinition,
    answer: zDefinitionAnswer,
    handler: async ({ store, schemas }, { params, body, request, reply }) => {
      const { description = '', ...rest } = body
      const definition = { name: params.param, description, ...rest }
      const revision = await putDefinition(store, definition, { schemas, ifRevision: revisionIn(request) })
      reply.header('etag', etagOf(revision))
      return { ...definition, revision }
    },
  }),
  route({
    method: 'DELETE',
    url: '/v1/params/:param',
    id: 'deleteParam',
    summary: 'Takes away default and schema of a param; values stay',
    access: ['write:param/'],
    params: zDefined,
    status: 204,
    handler: async ({ store }, { params, request }) => {
      await deleteDefinition(store, params.param, { ifRevision: revisionIn(request) })
      return undefined
    },
  }),
]

function notSet(profile: string, param: string): FlotillaError {
  return new FlotillaError('NOT_FOUND', `the param ${param} is not set in ${profile}`, {
    hint: `\`flotilla profile set ${profile} param ${param} to VALUE\` sets it.`,
  })
}
