import { type Json, memberOf } from '../json-patch/json.ts'
import { type Profile, PROFILE_LIMITS } from '../profile/profile.ts'

export interface Lookup {
  /** In this order; each before those that it names, and they before the next. */
  readonly profiles: readonly string[]
  readonly profile: (name: string) => Pick<Profile, 'params' | 'profiles'> | undefined
  /** What counts where no profile has the param. */
  readonly fallback: (key: string) => Json | undefined
}

/**
 * The value that counts for a param; undefined where there is none. A profile that leads back to itself is looked at once, and of
 * those that others name no more than the hub looks at.
 */
export function paramIn(key: string, { profiles, profile, fallback }: Lookup): Json | undefined {
  const seen = new Set<string>()
  let inherited = 0
  const find = (names: readonly string[], isNamed: boolean): Json | undefined => {
    for (const name of names) {
      if (seen.has(name)) continue
      if (isNamed && ++inherited > PROFILE_LIMITS.inherited) return undefined
      seen.add(name)
      const one = profile(name)
      if (one === undefined) continue
      const own = memberOf(one.params, key)
      const value = own === undefined ? find(one.profiles, true) : own
      if (value !== undefined) return value
    }
    return undefined
  }
  const found = find(profiles, false)
  return found === undefined ? fallback(key) : found
}
