import { afterEach, expect, test } from 'vitest'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import type { Json } from '../core/json-patch/json.ts'
import { keys } from '../core/keys.ts'
import { emptyFields, GLOBAL_PROFILE, PROFILE_LIMITS, type Profile } from '../core/profile/profile.ts'
import { paramIn } from '../core/templates/lookup.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { effectiveParam, profilesInOrder } from './effective.ts'

const store = new MemoryStore({ clock: new VirtualClock() })
const made = new Map<string, Profile>()
afterEach(() => made.clear())

async function make(name: string, profiles: readonly string[], params: Readonly<Record<string, Json>> = {}) {
  const profile = { ...emptyFields(name), profiles, params, version: 1 }
  made.set(name, profile)
  await store.commit({ changes: [{ op: 'put', key: keys.profile(name), value: JSON.stringify(profile) }] })
}

async function atHub(name: string, param: string): Promise<Json | undefined> {
  const profiles = await profilesInOrder(store, name)
  return (await effectiveParam(store, { profiles, param, sees: () => true }))?.value
}

function atNode(name: string, param: string): Json | undefined {
  return paramIn(param, {
    profiles: [name, GLOBAL_PROFILE],
    profile: (each) => made.get(each),
    fallback: () => undefined,
  })
}

test('a profile that names as many others as it may still has the params of the global one', async () => {
  const names = Array.from({ length: PROFILE_LIMITS.profiles }, (_, index) => `wide${index}`)
  for (const name of names) await make(name, [], { last: name })
  await make(GLOBAL_PROFILE, [], { everywhere: true })
  await make('wide', names)
  expect([await atHub('wide', 'everywhere'), atNode('wide', 'everywhere')]).toEqual([true, true])
})

test('of profiles that name each other in a long line, the hub and a node look at the same', async () => {
  const { inherited } = PROFILE_LIMITS
  const length = inherited + 3
  for (let index = 0; index < length; index += 1)
    await make(`far${index}`, [`far${index + 1}`], { [`x${index}`]: index })
  await make(GLOBAL_PROFILE, [], { everywhere: true })
  for (const [param, value] of [
    [`x${inherited}`, inherited],
    [`x${inherited + 1}`, undefined],
    ['everywhere', true],
  ] as const)
    expect([await atHub('far0', param), atNode('far0', param)]).toEqual([value, value])
})
