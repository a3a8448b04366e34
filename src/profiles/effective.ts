import type { Json } from '../core/json-patch/json.ts'
import { memberOf } from '../core/json-patch/json.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import { defaultOf, GLOBAL_PROFILE, PROFILE_LIMITS, type Profile } from '../core/profile/profile.ts'
import type { Store } from '../core/store.ts'
import { listDefinitions, readDefinition } from './definitions.ts'

/** A param as it counts for a profile, and where it comes from: a profile, or its definition. */
export interface EffectiveParam {
  readonly value: Json
  /** Absent for a default. */
  readonly from?: string | undefined
}

/** Whether somebody may see a param of a profile. */
export type Sight = (profile: string, param: string) => boolean

/**
 * The profile itself, those it names, in their order and each with those that it names, and the global one last. Each once,
 * however they name each other; of those that others name no more than `PROFILE_LIMITS.inherited`.
 */
export async function profilesInOrder(
  store: Pick<Store, 'get'>,
  name: string,
  op: Op = {},
): Promise<readonly Profile[]> {
  const found: Profile[] = []
  const seen = new Set<string>()
  let inherited = 0
  const visit = async (each: string, isNamed: boolean): Promise<void> => {
    if (seen.has(each)) return
    if (isNamed && ++inherited > PROFILE_LIMITS.inherited) return
    seen.add(each)
    const entry = await store.get(keys.profile(each), op)
    if (entry === undefined) return
    const profile = JSON.parse(entry.value) as Profile
    found.push(profile)
    for (const next of profile.profiles) await visit(next, true)
  }
  await visit(name, false)
  await visit(GLOBAL_PROFILE, false)
  return found
}

/** What counts for a param of a profile; undefined where nobody says anything. */
export async function effectiveParam(
  store: Pick<Store, 'get'>,
  { profiles, param, sees }: { readonly profiles: readonly Profile[]; readonly param: string; readonly sees: Sight },
  op: Op = {},
): Promise<EffectiveParam | undefined> {
  for (const { name, params } of profiles) {
    const value = memberOf(params, param)
    if (value !== undefined && sees(name, param)) return { value, from: name }
  }
  const value = defaultOf((await readDefinition(store, param, op))?.definition)
  return value === undefined ? undefined : { value }
}

/** All params that count for a profile, those that are set nowhere with their defaults. */
export async function effectiveParams(
  store: Store,
  { profiles, sees }: { readonly profiles: readonly Profile[]; readonly sees: Sight },
  op: Op = {},
): Promise<ReadonlyMap<string, EffectiveParam>> {
  const found = new Map<string, EffectiveParam>()
  for (const { name, params } of profiles) {
    for (const [param, value] of Object.entries(params)) {
      if (!found.has(param) && sees(name, param)) found.set(param, { value, from: name })
    }
  }
  for (const definition of await listDefinitions(store, op)) {
    const value = defaultOf(definition)
    if (value !== undefined && !found.has(definition.name)) found.set(definition.name, { value })
  }
  return found
}
