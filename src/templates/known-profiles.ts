import { type Json, type JsonObject, memberOf } from '../core/json-patch/json.ts'
import { keys } from '../core/keys.ts'
import { defaultOf, type Definition, GLOBAL_PROFILE, nodeProfile, type Profile } from '../core/profile/profile.ts'
import type { Entry } from '../core/store.ts'
import { paramIn } from '../core/templates/lookup.ts'
import { originsOf } from '../lib/http-several.ts'
import { nodeNames, type NodeFacts } from './facts.ts'
import type { Facts } from './rendered-file.ts'

export interface KnownProfiles {
  /** Copies of `profile/…`, `param/…` and `node/<node>/meta`. */
  readonly entries: ReadonlyMap<string, Entry>
  /** Undefined where nobody is a node. */
  readonly node: NodeFacts | undefined
  /** Looked at after the node's own, in this order. */
  readonly profiles: readonly string[]
  readonly apiUrl: string | undefined
  /** Where the hub has said which params count: these, and nothing is looked up. */
  readonly effective?: JsonObject | undefined
}

/**
 * What templates know: `param` looks into the node's own profile, those that are named, in their order, each before those that it
 * names itself, and `global`; then come the defaults. `profile` is the first that is named, or else the node's own.
 */
export function factsOf({ entries, node, profiles, apiUrl, effective }: KnownProfiles): Facts {
  const own = node === undefined ? [] : [nodeProfile(node.name)]
  const read = (key: string): unknown => {
    const entry = entries.get(key)
    return entry === undefined ? undefined : (JSON.parse(entry.value) as unknown)
  }
  const parsed = new Map<string, Profile | undefined>()
  const profileOf = (name: string): Profile | undefined => {
    if (!parsed.has(name)) parsed.set(name, read(keys.profile(name)) as Profile | undefined)
    return parsed.get(name)
  }
  const [first] = [...profiles, ...own]
  const names: Record<string, Json> = {}
  if (node !== undefined) names['node'] = nodeNames(node, read(keys.meta(node.name)) as Json | undefined)
  if (first !== undefined) names['profile'] = profileNames(first, profileOf(first))
  return {
    names,
    secretNames: ['node.values'],
    // Of several hubs over one store any will do.
    apiUrl: apiUrl && originsOf(apiUrl)[0],
    param(key) {
      if (effective !== undefined) return memberOf(effective, key)
      return paramIn(key, {
        profiles: [...own, ...profiles, GLOBAL_PROFILE],
        profile: profileOf,
        fallback: (param) => defaultOf(read(keys.param(param)) as Definition | undefined),
      })
    },
  }
}

function profileNames(name: string, profile: Profile | undefined): Json {
  if (profile === undefined) return { name }
  const { description, meta, version } = profile
  return { name, description, meta, version }
}
