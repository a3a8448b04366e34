import type { Json, JsonObject } from '../../core/json-patch/json.ts'
import type { Profile } from '../../core/profile/profile.ts'
import type { Store } from '../../core/store.ts'
import { profilesInOrder, type Sight } from '../../profiles/effective.ts'
import type { Once } from '../../lib/once.ts'
import type { HubContext } from '../../hub/context.ts'
import { sightOf } from '../../hub/profile-access.ts'
import type { Call } from '../../hub/route.ts'

export type Model = 'profiles' | 'machines'

/** One profile or machine, with what its reader may see of it. */
export interface Thing {
  readonly model: Model
  /** Name of a profile, UUID of a machine. */
  readonly key: string
  readonly name: string
  /** Of the profile that holds its params. */
  readonly profile: string
  readonly etag: string
  readonly object: JsonObject
}

/** Who asks, and with what. */
export interface Asking extends Pick<Call<unknown, unknown, unknown>, 'caller' | 'request' | 'reply'> {
  readonly hub: HubContext
}

export interface Change {
  /** `patch`, `update`, `create` or `delete`, as claims call it. */
  readonly action: string
  /** Of an answer that may be asked for again. */
  readonly once?: Once | undefined
  /**
   * What to make of the object, undefined for none; pure, since it is asked again where another hub was faster. Throws what
   * the client is to be told.
   */
  readonly edit: (object: JsonObject | undefined) => JsonObject | undefined
}

/** What profiles and machines have in common: everything that clients do with them is one of these. */
export interface Kind {
  readonly model: Model
  /** Undefined where there is none, or the caller may see nothing of it. `key` may be `Name:x`. */
  find(asking: Asking, key: string): Promise<Thing | undefined>
  /** Sorted by key. */
  list(asking: Asking): Promise<readonly Thing[]>
  /** One commit. Answers it as it is then, or as it was before it went. */
  change(asking: Asking, key: string, change: Change): Promise<Thing>
  /** Resolves when it is no longer as that ETag has it, or the time is over. */
  untilOther(asking: Asking, thing: Thing, ms: number): Promise<void>
}

/** The profiles whose params count for it, and what the caller may see of those. `store`: where they are read from. */
export async function sourcesOf(
  { hub, caller }: Asking,
  { profile }: Thing,
  store: Pick<Store, 'get'> = hub.store,
): Promise<{ readonly profiles: readonly Profile[]; readonly sees: Sight }> {
  return { profiles: await profilesInOrder(store, profile), sees: sightOf(caller, profile) }
}

export function memberMap(object: JsonObject, member: 'Params' | 'Meta'): JsonObject {
  return (object[member] ?? {}) as JsonObject
}

/** Of both maps, what is not the same in them: `undefined` for what is gone. */
export function differences(
  before: JsonObject,
  after: JsonObject,
  isSame: (a: Json, b: Json) => boolean,
): ReadonlyMap<string, Json | undefined> {
  const found = new Map<string, Json | undefined>()
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [a, b] = [before, after].map((map) => (Object.hasOwn(map, name) ? map[name] : undefined))
    if (a === undefined || b === undefined || !isSame(a, b)) found.set(name, b)
  }
  return found
}

export function withDifferences(map: JsonObject, changes: ReadonlyMap<string, Json | undefined>): JsonObject {
  const all = [...Object.entries(map).filter(([name]) => !changes.has(name)), ...changes]
  return Object.fromEntries(all.filter((entry): entry is [string, Json] => entry[1] !== undefined))
}
