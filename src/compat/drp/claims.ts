import { keys } from '../../core/keys.ts'
import { nodeProfile } from '../../core/profile/profile.ts'
import { formatScope, type Scope } from '../../core/scope.ts'
import { parsePointer } from '../../core/json-patch/pointer.ts'
import { placeKey } from '../../hub/profile-access.ts'
import { type About, Refusal } from './refusal.ts'

/** What a token is asked to be good for, as Digital Rebar says it; `*` stands for all, commas for several. */
export interface Claims {
  readonly scope: string
  readonly action: string
  readonly specific: string
}

const READS = new Set(['get', 'list'])
const UPDATES = new Set(['update', 'patch'])
/** All that a profile can have changed while it goes on being one. */
const MEMBERS: Readonly<Record<string, string>> = {
  Description: 'description',
  Documentation: 'documentation',
  Meta: 'meta',
  Params: 'params',
  Profiles: 'profiles',
}

/**
 * The same in our scopes: as much as is asked for, and never more. Throws 400 for what cannot be said in them, such as the right to
 * create a profile and not to change it.
 */
export function scopesOf({ scope, action, specific }: Claims, own: readonly Scope[], about: About): readonly Scope[] {
  if (scope === '*' && action === '*' && specific === '*') return own
  const [models, actions, names] = [scope, action, specific].map((text) => text.split(',').map((part) => part.trim()))
  const scopes = (models ?? []).flatMap((model) =>
    (names ?? []).flatMap((name) => scopesIn(model, actions ?? [], name, about)),
  )
  return [...new Map(scopes.map((each) => [formatScope(each), each])).values()]
}

function scopesIn(model: string, actions: readonly string[], name: string, about: About): readonly Scope[] {
  switch (model) {
    // Anybody with a token may ask who answers.
    case 'info':
      return []
    case 'params':
      if (actions.every((each) => READS.has(each) || each === '*')) return [{ verb: 'read', prefix: keys.params }]
      throw unsaid(about, `params ${actions.join(',')}`)
    case 'profiles':
      return ofProfiles(actions, name, about)
    case 'machines':
      return ofMachines(actions, name, about)
    default:
      throw unsaid(about, `the scope ${model.slice(0, 50)}`)
  }
}

function ofProfiles(actions: readonly string[], name: string, about: About): readonly Scope[] {
  const whole = name === '*' ? keys.profiles : keys.profile(name)
  if (isAll(actions)) return both(whole)
  return actions.flatMap((action): readonly Scope[] => {
    if (action === 'list' && name !== '*') throw unsaid(about, 'to list some profiles only')
    if (READS.has(action)) return [{ verb: 'read', prefix: whole }]
    const [verb = '', pointer] = action.split(':')
    if (!UPDATES.has(verb) || name === '*') throw unsaid(about, `profiles ${action.slice(0, 50)} ${name.slice(0, 64)}`)
    return placesOf(pointer, name, about).map((prefix) => ({ verb: 'write', prefix }))
  })
}

/** `update:/Params/my~1leader` is that place alone. */
function placesOf(pointer: string | undefined, profile: string, about: About): readonly string[] {
  if (pointer === undefined) return Object.values(MEMBERS).map((place) => placeKey(profile, [place]))
  const [member = '', ...rest] = parsePointer(pointer) ?? []
  const place = Object.hasOwn(MEMBERS, member) ? MEMBERS[member] : undefined
  if (place === undefined) throw unsaid(about, `update:${pointer.slice(0, 100)}`)
  return [placeKey(profile, [place, ...rest.slice(0, 1)])]
}

function ofMachines(actions: readonly string[], name: string, about: About): readonly Scope[] {
  if (name === '*') {
    if (actions.every((each) => READS.has(each))) return [{ verb: 'read', prefix: keys.nodes }]
    throw unsaid(about, 'to change all machines')
  }
  const [own, profile] = [keys.node(name), nodeProfile(name)]
  if (isAll(actions)) return [...both(own), ...both(keys.profile(profile))]
  return actions.flatMap((action): readonly Scope[] => {
    if (READS.has(action)) {
      return [
        { verb: 'read', prefix: own },
        { verb: 'read', prefix: keys.profile(profile) },
      ]
    }
    if (!UPDATES.has(action)) throw unsaid(about, `machines ${action.slice(0, 50)}`)
    const places = [keys.meta(name), keys.machine(name), ...placesOf(undefined, profile, about)]
    return places.map((prefix) => ({ verb: 'write', prefix }))
  })
}

/** To create, change and delete is all that there is. */
function isAll(actions: readonly string[]): boolean {
  const has = (...any: readonly string[]): boolean => any.some((action) => actions.includes(action))
  return has('*') || (has('create') && has('delete') && has('update', 'patch') && has('get'))
}

function both(prefix: string): readonly Scope[] {
  return [
    { verb: 'read', prefix },
    { verb: 'write', prefix },
  ]
}

function unsaid(about: About, what: string): Refusal {
  return new Refusal(400, about, [
    `a token for ${what} cannot be made here without giving more than that`,
    'Ask for profiles or machines by name, with get, update, update:/Params/KEY or *',
  ])
}
