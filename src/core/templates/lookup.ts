import { type Json, memberOf } from '../json-patch/json.ts'
import type { Profile } from '../profile/profile.ts'

export interface Lookup {
  /** In this order; each before those that it names, and they before the next. */
  readonly profiles: readonly string[]
  readonly profile: (name: string) => Pick<Profile, 'params' | 'profiles'> | undefined
  /** What counts where no profile has the param. */
  readonly fallback: (key: string) => Json | undefined
}

/** The value that counts for a param; undefined where there is none. A profile that leads back to itself is looked at once. */
export function paramIn(key: string, { profiles, profile, fallback }: Lookup): Json | undefined {
  const seen = new Set<string>()
  const find = (names: readonly string[]): Json | undefined => {
    for (const name of names) {
      if (seen.has(name)) continue
      seen.add(name)
      const one = profile(name)
      if (one === undefined) continue
      const own = memberOf(one.params, key)
      const value = own === undefined ? find(one.profiles) : own
      if (value !== undefined) return value
    }
    return undefined
  }
  const found = find(profiles)
  return found === undefined ? fallback(key) : found
}
