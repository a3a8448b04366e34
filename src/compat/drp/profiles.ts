import { isJsonObject, isSame, type JsonObject } from '../../core/json-patch/json.ts'
import { isName, keys } from '../../core/keys.ts'
import type { Edit } from '../../core/profile/edit.ts'
import { checkFields, type Fields, fieldsOf, type Known, nodeOf, type Profile } from '../../core/profile/profile.ts'
import type { Entry } from '../../core/store.ts'
import type { Caller } from '../../hub/caller.ts'
import { mayReach, mayReadSome, seen } from '../../hub/profile-access.ts'
import { etagOf } from '../../hub/profile-changes.ts'
import { invalidObject, notAllowed, notFound, Refusal } from './refusal.ts'
import { Decoder, profileObject } from './shapes.ts'
import { type Asking, type Change, differences, type Kind, type Thing, withDifferences } from './things.ts'

const MODEL = 'profiles'

/** Our profiles as Digital Rebar's. Those of nodes are the params of machines, and in no list. */
export const profilesKind: Kind = {
  model: MODEL,
  find: async ({ hub, caller }, key) => {
    const name = nameIn(key)
    const known = isName(name) ? await hub.profiles.get(name) : undefined
    return known && profileThing(caller, known)
  },
  list: async ({ hub, caller }) => {
    const all = (await hub.profiles.list()).filter(({ profile }) => nodeOf(profile.name) === undefined)
    return all.flatMap((known) => profileThing(caller, known) ?? [])
  },
  change: async (asking, key, change) => {
    const { hub, caller } = asking
    const name = nameIn(key)
    const by = { id: caller.id, label: caller.label }
    let gone: Thing | undefined
    const apply: Edit['apply'] = (current) => {
      gone = current && profileThing(caller, current)
      return { fields: edited(asking, name, current, change) }
    }
    const { changes } = await hub.profiles.change([{ profile: name, op: change.action, apply }], {
      by,
      once: change.once,
    })
    const known = (changes[0]?.version ?? 0) > 0 ? await hub.profiles.get(name) : undefined
    const thing = (known && profileThing(caller, known)) ?? gone
    if (thing === undefined) throw notFound({ model: MODEL, key: name, type: asking.request.method })
    return thing
  },
  untilOther: async ({ hub, ...who }, { profile, etag }, ms) => {
    await hub.waits.within(who, ms, (wait) =>
      hub.board.untilKey(keys.profile(profile), (entry) => etagOf(entry?.revision ?? 0) !== etag || undefined, wait),
    )
  },
}

/** As `Profiles.get`, of what was read before. */
export function knownIn(entry: Entry | undefined): Known | undefined {
  return entry && { profile: JSON.parse(entry.value) as Profile, revision: entry.revision }
}

/** Undefined where the caller may see nothing of it. */
export function profileThing(caller: Caller, known: Known): Thing | undefined {
  const { name } = known.profile
  if (!mayReadSome(caller, name)) return undefined
  const object = profileObject(seen(caller, known))
  return { model: MODEL, key: name, name, profile: name, etag: etagOf(known.revision), object }
}

function nameIn(key: string): string {
  return key.startsWith('Name:') ? key.slice('Name:'.length) : key
}

function edited(
  { caller, request }: Asking,
  name: string,
  current: Known | undefined,
  { action, edit }: Change,
): Fields | undefined {
  const about = { model: MODEL, key: name, type: request.method }
  const need = (names: readonly string[]): void => {
    if (mayReach(caller, 'write', name, names)) return
    throw notAllowed(request.url, `${MODEL} ${action} ${name}`)
  }
  const shown = current && profileThing(caller, current)
  if (action === 'create' && current !== undefined) {
    need([])
    throw new Refusal(409, { ...about, type: 'CREATE' }, ['already exists'])
  }
  const next = edit(shown?.object)
  if (next === undefined) {
    if (current !== undefined) need([])
    return undefined
  }
  const after = fieldsIn(next, name, request.method)
  if (current === undefined) {
    need([])
    return after
  }
  const before = fieldsIn(shown?.object ?? {}, name, request.method)
  return merged(fieldsOf(current.profile), before, after, need)
}

/** What the client changed of what it sees, made of the whole. */
function merged(whole: Fields, before: Fields, after: Fields, need: (names: readonly string[]) => void): Fields {
  const take = <K extends 'description' | 'documentation' | 'profiles'>(member: K): Fields[K] => {
    if (isSame(before[member], after[member])) return whole[member]
    need([member])
    return after[member]
  }
  const map = (member: 'params' | 'meta'): JsonObject => {
    const changes = differences(before[member], after[member], isSame)
    for (const name of changes.keys()) need([member, name])
    return withDifferences(whole[member], changes)
  }
  return {
    name: whole.name,
    description: take('description'),
    documentation: take('documentation'),
    meta: map('meta') as Fields['meta'],
    params: map('params'),
    profiles: take('profiles'),
  }
}

function fieldsIn(object: JsonObject, name: string, method: string): Fields {
  const about = { model: MODEL, key: name, type: method }
  const read = new Decoder(object, 'Profile', about)
  const called = read.text('Name')
  if (called !== '' && called !== name) throw invalidObject(about, `Name: cannot be changed from ${name}`)
  const meta = read.map('Meta')
  if (!isJsonObject(meta)) throw invalidObject(about, 'Meta: is a map')
  return checkFields(name, {
    name,
    description: read.text('Description'),
    documentation: read.text('Documentation'),
    meta,
    params: read.map('Params'),
    profiles: read.texts('Profiles'),
  })
}
