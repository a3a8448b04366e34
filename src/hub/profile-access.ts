import { FlotillaError, isError } from '../core/errors.ts'
import { isJsonObject, type Json } from '../core/json-patch/json.ts'
import { parsePointer } from '../core/json-patch/pointer.ts'
import { keys } from '../core/keys.ts'
import type { ProfileOperation } from '../core/profile/change.ts'
import { type Known, nodeOf } from '../core/profile/profile.ts'
import { allows, type Verb } from '../core/scope.ts'
import type { ProfileAnswer } from '../core/api-profiles.ts'
import type { Sight } from '../profiles/effective.ts'
import type { Caller } from './caller.ts'

/**
 * Who may see and change what of a profile. Its parts have keys of their own, which stand in scopes only:
 * `profile/NAME/params/KEY` and `profile/NAME/meta/KEY`, with KEY percent-encoded, and `profile/NAME/description`.
 */

/** The key that stands for a place in a profile: no deeper than a param or a member of the meta. */
export function placeKey(profile: string, names: readonly string[]): string {
  const [member, key] = names
  if (member === undefined) return keys.profile(profile)
  const place = `${keys.profile(profile)}/${encoded(member)}`
  return key !== undefined && (member === 'params' || member === 'meta') ? `${place}/${encoded(key)}` : place
}

/** Half of a surrogate pair has no encoding; nothing can be called that. */
function encoded(name: string): string {
  return encodeURIComponent(name.toWellFormed())
}

export function mayReach({ scopes }: Caller, verb: Verb, profile: string, names: readonly string[] = []): boolean {
  return allows(scopes, verb, placeKey(profile, names))
}

function check(caller: Caller, verb: Verb, profile: string, names: readonly string[]): void {
  if (mayReach(caller, verb, profile, names)) return
  const key = placeKey(profile, names)
  throw new FlotillaError('FORBIDDEN', `your token has no right to ${verb} ${key}`, {
    hint: `It would need the scope ${verb}:${key}`,
  })
}

export function mayReadSome(caller: Caller, profile: string): boolean {
  return mayReachSome(caller, 'read', profile)
}

function mayReachSome({ scopes }: Caller, verb: Verb, profile: string): boolean {
  const key = keys.profile(profile)
  return scopes.some(
    (scope) => scope.verb === verb && (allows([scope], verb, key) || scope.prefix.startsWith(`${key}/`)),
  )
}

function checkReachesSome(caller: Caller, profile: string): void {
  if (!mayReadSome(caller, profile) && !mayReachSome(caller, 'write', profile)) check(caller, 'write', profile, [])
}

/** Throws `FORBIDDEN` unless the caller may see something of the profile. */
export function checkReadSome(caller: Caller, profile: string): void {
  if (!mayReadSome(caller, profile)) check(caller, 'read', profile, [])
}

export function checkRead(caller: Caller, profile: string, names: readonly string[] = []): void {
  check(caller, 'read', profile, names)
}

export function checkWrite(caller: Caller, profile: string): void {
  check(caller, 'write', profile, [])
}

/** Throws `FORBIDDEN` unless the caller may write all that the operation may change, and read all that it looks at. */
export function checkOperation(caller: Caller, operation: ProfileOperation): void {
  const { profile, ref } = operation
  // An operation without any place still tells how it stands with the profile.
  checkReachesSome(caller, profile)
  const reads = (names: readonly string[]): void => check(caller, 'read', profile, names)
  const writes = (names: readonly string[]): void => check(caller, 'write', profile, names)
  if ('param' in operation) {
    writes(['params', operation.param])
    if (ref !== undefined) reads(['params', operation.param])
    return
  }
  const at = 'at' in operation && operation.at === 'params' ? ['params'] : []
  if (ref !== undefined) for (const names of placesOfRef(operation.op === 'params' ? ['params'] : at, ref)) reads(names)
  if (operation.op === 'patch') for (const op of operation.patch) checkPatchOp(op, at, reads, writes)
  else if (operation.op === 'merge') for (const names of placesOfMerge(at, operation.merge)) writes(names)
  else writes(operation.op === 'params' ? ['params'] : [])
}

type Check = (names: readonly string[]) => void

function checkPatchOp(given: Json, at: readonly string[], reads: Check, writes: Check): void {
  const { op, path, from } = isJsonObject(given) ? given : {}
  const to = typeof path === 'string' ? parsePointer(path) : undefined
  const source = typeof from === 'string' ? parsePointer(from) : undefined
  // What is no operation is told so to those who may do anything here.
  const place = to === undefined ? [] : [...at, ...to]
  if (op === 'test') return reads(place)
  writes(place)
  if (op !== 'copy' && op !== 'move') return
  const origin = source === undefined ? [] : [...at, ...source]
  reads(origin)
  if (op === 'move') writes(origin)
}

function placesOfRef(at: readonly string[], ref: Json): readonly (readonly string[])[] {
  if (at.length > 0 || !isJsonObject(ref)) return [at]
  return Object.keys(ref)
    .filter((member) => member !== 'kind' && member !== 'name' && member !== 'version' && member !== 'revision')
    .map((member) => [member])
}

function placesOfMerge(at: readonly string[], merge: Json): readonly (readonly string[])[] {
  if (!isJsonObject(merge)) return [at]
  return Object.entries(merge).flatMap(([name, value]) => {
    const place = [...at, name]
    return place.length < 2 && (name === 'params' || name === 'meta') ? placesOfMerge(place, value) : [place]
  })
}

/** What of the params that count for a profile: a node sees all that counts for it, as only operators say which profiles those are. */
export function sightOf(caller: Caller, asked: string): Sight {
  if (caller.node !== undefined && nodeOf(asked) === caller.node) return () => true
  return (profile, param) => mayReach(caller, 'read', profile, ['params', param])
}

/** What the caller may read of a profile; the rest is as if it were empty. */
export function seen(caller: Caller, { profile, revision }: Known): ProfileAnswer {
  const { name, version, description, documentation, meta, params, profiles } = profile
  if (mayReach(caller, 'read', name)) return { ...profile, revision }
  const sees = (...names: readonly string[]): boolean => mayReach(caller, 'read', name, names)
  return {
    name,
    version,
    description: sees('description') ? description : '',
    documentation: sees('documentation') ? documentation : '',
    meta: Object.fromEntries(Object.entries(meta).filter(([key]) => sees('meta', key))),
    params: Object.fromEntries(Object.entries(params).filter(([key]) => sees('params', key))),
    profiles: sees('profiles') ? profiles : [],
    revision,
  }
}

/** Runs a change; where it loses a race, takes out of the answer what the caller may not read. */
export async function tellingWhatMayBeSeen<T>(caller: Caller, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isError(error, 'LOST_RACE') || error.details.conflict?.actual === undefined) throw error
    const { actual: _, ...conflict } = error.details.conflict
    if (mayReach(caller, 'read', conflict.profile, parsePointer(conflict.pointer))) throw error
    throw new FlotillaError(error.code, error.message, { ...error.details, conflict })
  }
}
