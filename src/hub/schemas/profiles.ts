import { z } from 'zod'
import type {
  ChangeAnswer,
  DefinitionAnswer,
  DefinitionsAnswer,
  ProfileAnswer,
  ProfileHistoryAnswer,
  ProfileParamAnswer,
  ProfileParamsAnswer,
  ProfilesAnswer,
  ProfileTokenRequest,
  TransactionAnswer,
} from '../../core/api-profiles.ts'
import type { Json, JsonObject } from '../../core/json-patch/json.ts'
import type { ProfileOperation } from '../../core/profile/change.ts'
import { isParamName, PROFILE_LIMITS } from '../../core/profile/profile.ts'
import { named, zCount, zJson, zLine, zMoment, zName } from './common.ts'
import { hold } from './hold.ts'

/** Members that are any JSON, which must be there: undefined is none. */
const zValue = z
  .unknown()
  .refine((value) => value !== undefined, 'is missing')
  .meta({ description: 'Any JSON.' }) as z.ZodType<Json>
const zMap = z.record(z.string(), zJson) as unknown as z.ZodType<JsonObject>

export const zParamName = z.string().refine(isParamName, 'cannot name a param')
const zRevision = zCount.optional()

const contents = {
  description: z.string().optional(),
  documentation: z.string().optional(),
  meta: z.record(z.string(), z.string()).optional(),
  params: zMap.optional(),
  profiles: z.array(zName).optional(),
}

export const zContents = z.strictObject({ name: zName.optional(), ...contents })
export const zNewProfile = z.strictObject({ name: zName, ...contents })

const common = { profile: zName, ifRevision: zRevision, ref: zJson.optional() }
const param = { ...common, param: zParamName }

/** What a request may say of one profile in a transaction. */
const zOperation = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('create'), ...common, ...contents }),
  z.strictObject({ op: z.literal('put'), ...common, ...contents }),
  z.strictObject({ op: z.literal('delete'), ...common }),
  z.strictObject({ op: z.literal('patch'), ...common, patch: z.array(zJson), at: z.literal('params').optional() }),
  z.strictObject({ op: z.literal('merge'), ...common, merge: zValue, at: z.literal('params').optional() }),
  z.strictObject({ op: z.literal('params'), ...common, params: zMap }),
  z.strictObject({ op: z.enum(['set', 'add', 'append', 'take']), ...param, value: zValue }),
  z.strictObject({ op: z.literal('remove'), ...param }),
  z.strictObject({ op: z.literal('increment'), ...param, by: z.number().optional() }),
]) as unknown as z.ZodType<ProfileOperation>

export const zTransaction = z.strictObject({
  operations: z.array(zOperation).min(1).max(PROFILE_LIMITS.operations),
})

/** Body of PUT /v1/profiles/:name/params/:param. */
export const zSetParam = z.strictObject({ value: zValue, ref: zJson.optional() })

/** Body of POST /v1/profiles/:name/params/:param. */
export const zParamVerb = z.discriminatedUnion('op', [
  z.strictObject({ op: z.enum(['add', 'append', 'take']), value: zValue, ref: zJson.optional() }),
  z.strictObject({ op: z.literal('increment'), by: z.number().optional(), ref: zJson.optional() }),
]) as unknown as z.ZodType<ParamVerb>

export type ParamVerb = { readonly ref?: Json } & (
  | { readonly op: 'add' | 'append' | 'take'; readonly value: Json }
  | { readonly op: 'increment'; readonly by?: number | undefined }
)

const zProfile = {
  name: zName,
  version: zCount,
  description: z.string(),
  documentation: z.string(),
  meta: z.record(z.string(), z.string()),
  params: zMap,
  profiles: z.array(z.string()),
}

export const zProfileAnswer = hold<ProfileAnswer>()(z.object({ ...zProfile, revision: zCount }))
named.add(zProfileAnswer, { id: 'Profile' })

export const zProfilesAnswer = hold<ProfilesAnswer>()(
  z.object({
    profiles: z.array(
      z.object({
        name: zName,
        version: zCount,
        revision: zCount,
        description: z.string(),
        meta: z.record(z.string(), z.string()),
        profiles: z.array(z.string()),
        params: zCount,
      }),
    ),
  }),
)

export const zProfileParamsAnswer = hold<ProfileParamsAnswer>()(
  z.object({
    profile: z.string(),
    revision: zCount,
    params: zMap,
    from: z.record(z.string(), z.string()).optional(),
  }),
)

export const zProfileParamAnswer = hold<ProfileParamAnswer>()(
  z.object({
    profile: z.string(),
    param: z.string(),
    value: zJson,
    from: z.string().optional(),
    revision: zCount,
  }),
)

export const zChangeAnswer = hold<ChangeAnswer>()(
  z.object({
    profile: z.string(),
    version: zCount,
    revision: zCount,
    changed: z.boolean(),
    value: zJson.optional(),
  }),
)
named.add(zChangeAnswer, { id: 'ProfileChange' })

export const zTransactionAnswer = hold<TransactionAnswer>()(z.object({ changes: z.array(zChangeAnswer) }))

export const zProfileHistoryAnswer = hold<ProfileHistoryAnswer>()(
  z.object({
    profile: z.string(),
    changes: z.array(
      z.object({
        version: zCount,
        atMs: zMoment,
        by: z.object({ id: z.string(), label: z.string() }),
        op: z.string(),
        patch: z.array(zJson),
        deleted: z.literal(true).optional(),
      }),
    ),
  }),
)

const definition = { description: z.string(), default: zJson.optional(), schema: zJson.optional() }

export const zPutDefinition = z.strictObject({
  description: zLine.max(1000).optional(),
  default: zJson.optional(),
  schema: zJson.optional(),
})
export const zDefinitionAnswer = hold<DefinitionAnswer>()(
  z.object({ name: z.string(), ...definition, revision: zCount }),
)
named.add(zDefinitionAnswer, { id: 'Param' })
export const zDefinitionsAnswer = hold<DefinitionsAnswer>()(
  z.object({ params: z.array(z.object({ name: z.string(), ...definition })) }),
)

export const zProfileTokenRequest = hold<ProfileTokenRequest>()(
  z.strictObject({
    label: zLine.min(1).max(100).optional(),
    verbs: z
      .array(z.enum(['read', 'write']))
      .min(1)
      .max(2)
      .optional(),
    params: z.array(zParamName).min(1).max(40).optional(),
    ttlMs: z
      .int()
      .min(1000)
      .max(366 * 24 * 3_600_000)
      .optional(),
  }),
)
