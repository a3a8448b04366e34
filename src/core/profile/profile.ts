import { FlotillaError } from '../errors.ts'
import { isName } from '../keys.ts'
import { isHostile, isJsonObject, type Json, type JsonObject, unfitness } from '../json-patch/json.ts'

/** Value of `profile/<name>`: shared state, changed as a whole or not at all. */
export interface Profile extends Fields {
  /** Counts the changes, from 1 on, also over a deletion and a new beginning. */
  readonly version: number
}

/** What a user sets of a profile, and what a patch of it applies to. */
export interface Fields {
  readonly name: string
  readonly description: string
  readonly documentation: string
  /** Icon, colour and the like, for people and their tools. */
  readonly meta: Readonly<Record<string, string>>
  readonly params: JsonObject
  /** Names of profiles whose params count where this one has none, the first that has one wins. */
  readonly profiles: readonly string[]
}

/** A profile, and the revision of the store that last wrote it: its ETag. */
export interface Known {
  readonly profile: Profile
  readonly revision: number
}

/** Value of `param/<param>`: what holds for a param in whatever profile it is. */
export interface Definition {
  readonly name: string
  readonly description: string
  /** Counts where nobody set the param. */
  readonly default?: Json | undefined
  /** JSON Schema (2020-12) that values must match from now on; those that are there stay. */
  readonly schema?: Json | undefined
}

export const PROFILE_LIMITS = {
  /** Of the whole profile as JSON. Its history holds it twice, back and forth, as one value of the store. */
  bytes: 384 * 1024,
  params: 2000,
  /** Characters of a param's name; percent-encoded, as keys and scopes have it, at most `encoded`. */
  name: 128,
  encoded: 160,
  meta: 64,
  metaChars: 1024,
  profiles: 32,
  /** That are looked at for a param because others name them. */
  inherited: 32,
  /** Of a param's value. */
  depth: 20,
  /** Versions that are kept besides the current one. */
  history: 100,
  operations: 100,
} as const

/** Profiles of nodes: `node.erd1` holds what is true of erd1. They come to be when something is first written to them. */
const NODE_PREFIX = 'node.'

export function nodeProfile(node: string): string {
  return NODE_PREFIX + node
}

export function nodeOf(profile: string): string | undefined {
  return profile.startsWith(NODE_PREFIX) ? profile.slice(NODE_PREFIX.length) : undefined
}

/** Where everybody looks last, before the defaults. */
export const GLOBAL_PROFILE = 'global'

export function emptyFields(name: string): Fields {
  return { name, description: '', documentation: '', meta: {}, params: {}, profiles: [] }
}

/** A profile without its version, with its members in their order. */
export function fieldsOf({ name, description, documentation, meta, params, profiles }: Fields): Fields {
  return { name, description, documentation, meta, params, profiles }
}

/** The same as JSON, for patches. */
export function documentOf(fields: Fields): Json {
  return fieldsOf(fields) as unknown as Json
}

const CONTROL = /\p{Cc}/u

/** Whether a param can be called that: 1 to 128 characters without control characters, and no name of a prototype. */
export function isParamName(text: string): boolean {
  return (
    text !== '' &&
    text.length <= PROFILE_LIMITS.name &&
    text !== '.' &&
    text !== '..' &&
    text.isWellFormed() &&
    !CONTROL.test(text) &&
    !isHostile(text) &&
    encodeURIComponent(text).length <= PROFILE_LIMITS.encoded
  )
}

/** Throws `BAD_REQUEST` for what cannot name a param. */
export function checkParamName(text: string): void {
  if (isHostile(text)) throw invalid(`a param cannot be called "${text}"`)
  if (isParamName(text)) return
  throw new FlotillaError('BAD_REQUEST', `${JSON.stringify(text.slice(0, 150))} cannot name a param`, {
    hint: `A name has 1 to ${PROFILE_LIMITS.name} characters, at most ${PROFILE_LIMITS.encoded} when percent-encoded.`,
  })
}

/**
 * What a change led to, as a profile of that name. Throws `INVALID_VALUE` where it is none: an unknown member, another
 * name, a value of the wrong kind or one that cannot be kept exactly; `TOO_LARGE` beyond the limits.
 */
export function checkFields(name: string, value: Json): Fields {
  if (!isJsonObject(value)) throw invalid('a profile is an object')
  const unknown = Object.keys(value).find((member) => !MEMBERS.has(member))
  if (unknown !== undefined) throw invalid(`a profile has no member "${unknown.slice(0, 100)}"`)
  const { description = '', documentation = '', meta = {}, params = {}, profiles = [] } = value
  if (value['name'] !== undefined && value['name'] !== name) throw invalid('the name of a profile cannot be changed')
  const unfit = unfitness(value, PROFILE_LIMITS.depth + 2)
  if (unfit !== undefined) throw invalid(`the profile would hold ${unfit === 'too deep' ? 'values too deep' : unfit}`)
  if (typeof description !== 'string' || typeof documentation !== 'string') {
    throw invalid('description and documentation are texts')
  }
  return {
    name,
    description,
    documentation,
    meta: checkedMeta(meta),
    params: checkedParams(params),
    profiles: checkedProfiles(profiles),
  }
}

const MEMBERS = new Set(Object.keys(emptyFields('')))

function checkedMeta(meta: Json): Fields['meta'] {
  if (!isJsonObject(meta)) throw invalid('meta is an object of texts')
  const entries = Object.entries(meta)
  atMost(entries.length, PROFILE_LIMITS.meta, 'members of meta')
  for (const [key, value] of entries) {
    if (typeof value !== 'string') throw invalid(`meta holds texts, and "${key.slice(0, 100)}" is none`)
    checkParamName(key)
    atMost(value.length, PROFILE_LIMITS.metaChars, `characters in the meta "${key}"`)
  }
  return meta as Fields['meta']
}

function checkedParams(params: Json): JsonObject {
  if (!isJsonObject(params)) throw invalid('params is an object')
  const names = Object.keys(params)
  atMost(names.length, PROFILE_LIMITS.params, 'params')
  for (const param of names) checkParamName(param)
  return params
}

function checkedProfiles(profiles: Json): readonly string[] {
  if (!Array.isArray(profiles)) throw invalid('profiles is a list of names')
  atMost(profiles.length, PROFILE_LIMITS.profiles, 'profiles')
  const names = profiles as readonly Json[]
  const bad = names.find((each) => typeof each !== 'string' || !isName(each))
  if (bad !== undefined) throw invalid(`${JSON.stringify(bad).slice(0, 100)} is not the name of a profile`)
  if (new Set(names).size !== names.length) throw invalid('a profile is named twice')
  return names as readonly string[]
}

function atMost(count: number, limit: number, what: string): void {
  if (count > limit) throw new FlotillaError('TOO_LARGE', `${count} ${what}; at most ${limit}`)
}

export function invalid(message: string): FlotillaError {
  return new FlotillaError('INVALID_VALUE', message)
}

/** What a param's definition says where nobody set it. */
export function defaultOf(definition: Definition | undefined): Json | undefined {
  if (definition?.default !== undefined) return definition.default
  const { schema } = definition ?? {}
  return schema !== undefined && isJsonObject(schema) ? schema['default'] : undefined
}
