import type { Conflict } from '../conflict.ts'
import { FlotillaError } from '../errors.ts'
import { isExact, isJsonArray, isJsonObject, isSame, type Json, memberOf } from '../json-patch/json.ts'
import { applyMerge } from '../json-patch/merge.ts'
import { applyPatch, type PatchFailure } from '../json-patch/patch.ts'
import { formatPointer } from '../json-patch/pointer.ts'
import type { ParamChange, ProfileOperation } from './change.ts'
import {
  checkFields,
  checkParamName,
  documentOf,
  emptyFields,
  type Fields,
  invalid,
  type Known,
  nodeOf,
} from './profile.ts'

/** What a change leads to; `fields: undefined` when the profile is then gone. */
export interface Edited {
  readonly fields: Fields | undefined
  /** What the caller is told besides: the counter, or whether a list was changed. */
  readonly value?: Json
}

/**
 * What to make of a profile as it is; pure, for it is asked again whenever somebody else was faster. Throws `LOST_RACE`
 * with what is there where it is not as expected, and `NOT_FOUND`.
 */
export interface Edit {
  readonly profile: string
  /** For the history. */
  readonly op: string
  /** Params whose defaults `apply` wants to know. */
  readonly defaultsOf?: readonly string[] | undefined
  apply(current: Known | undefined, defaults: ReadonlyMap<string, Json>): Edited
}

/** `index`: of the operation in its transaction. */
export function editOf(operation: ProfileOperation, index: number): Edit {
  const { profile, op, ref } = operation
  const param = 'param' in operation ? operation.param : undefined
  return {
    profile,
    op,
    ...(param !== undefined && ref !== undefined && { defaultsOf: [param] }),
    apply: (current, defaults) => {
      const at = new Place(operation, index, current)
      at.expectRevision()
      if (ref !== undefined) at.expectRef(ref, defaults)
      return change(operation, current, at)
    },
  }
}

/** The profile an operation looks at, and how to say that it is not as expected. */
class Place {
  readonly #operation: ProfileOperation
  readonly #index: number
  readonly #current: Known | undefined

  constructor(operation: ProfileOperation, index: number, current: Known | undefined) {
    this.#operation = operation
    this.#index = index
    this.#current = current
  }

  lost(pointer: string, reason: string, more: Partial<Conflict> = {}): FlotillaError {
    const { profile, op } = this.#operation
    const revision = this.#current?.revision ?? 0
    const conflict: Conflict = { profile, operation: this.#index, op, pointer, revision, ...more }
    const where = pointer === '' ? profile : `${profile} ${pointer}`
    return new FlotillaError('LOST_RACE', `${where}: ${reason}`, { conflict })
  }

  expectRevision(): void {
    const { ifRevision } = this.#operation
    const revision = this.#current?.revision ?? 0
    if (ifRevision === undefined || ifRevision === revision) return
    const now = revision === 0 ? 'there is no such profile' : `it is at revision ${revision}`
    throw this.lost('', `expected ${ifRevision === 0 ? 'no profile' : `revision ${ifRevision}`}, but ${now}`)
  }

  expectRef(ref: Json, defaults: ReadonlyMap<string, Json>): void {
    existing(this.#operation.profile, this.#current)
    if ('param' in this.#operation) this.#expectParam(this.#operation.param, ref, defaults)
    else if (this.#operation.op === 'params' || ('at' in this.#operation && this.#operation.at === 'params')) {
      this.#expectMember('params', ref)
    } else this.#expectMembers(ref)
  }

  #expectParam(param: string, ref: Json, defaults: ReadonlyMap<string, Json>): void {
    const actual = memberOf(this.#current?.profile.params ?? {}, param)
    // Null is a value, no lack of one.
    const value = actual === undefined ? defaults.get(param) : actual
    if (value !== undefined && isSame(value, ref)) return
    const reason = value === undefined ? 'it is not set' : 'it has another value'
    throw this.lost(formatPointer(['params', param]), reason, value === undefined ? {} : { actual: value })
  }

  #expectMembers(ref: Json): void {
    if (!isJsonObject(ref)) throw new FlotillaError('BAD_REQUEST', 'the reference of a profile is an object')
    for (const [member, value] of Object.entries(ref)) {
      if (member !== 'kind') this.#expectMember(member, value)
    }
  }

  #expectMember(member: string, expected: Json): void {
    const { profile, revision } = this.#current ?? { profile: undefined, revision: 0 }
    if (profile === undefined) throw this.lost('', 'there is no such profile')
    const whole = { ...(documentOf(profile) as object), version: profile.version, revision }
    if (!Object.hasOwn(whole, member)) {
      throw new FlotillaError('BAD_REQUEST', `a profile has no member "${member.slice(0, 100)}"`)
    }
    const actual = (whole as Readonly<Record<string, Json>>)[member] as Json
    if (!isSame(actual, expected)) throw this.lost(formatPointer([member]), 'it has another value', { actual })
  }

  /** What a JSON Patch came to grief over. */
  failed({ kind, index, op, pointer, reason, actual }: PatchFailure, prefix: string): FlotillaError {
    const message = `operation ${index} of the patch${op === '' ? '' : ` (${op} ${pointer || 'the whole'})`}: ${reason}`
    switch (kind) {
      case 'conflict':
        return this.lost(prefix + pointer, message, { op, index, ...(actual !== undefined && { actual }) })
      case 'refused':
        return invalid(message)
      case 'limit':
        return new FlotillaError('TOO_LARGE', message)
      case 'malformed':
      default:
        return new FlotillaError('BAD_REQUEST', index < 0 ? reason : message)
    }
  }
}

function change(operation: ProfileOperation, current: Known | undefined, at: Place): Edited {
  const { profile: name } = operation
  if ('param' in operation) return changeParam(operation, existing(name, current), at)
  switch (operation.op) {
    case 'create':
      if (current !== undefined) throw at.lost('', 'it is there already', { actual: documentOf(current.profile) })
      return { fields: contents(name, operation) }
    case 'put':
      return { fields: contents(name, operation) }
    case 'delete':
      if (current === undefined) throw noProfile(name)
      return { fields: undefined }
    case 'params':
      return { fields: checkFields(name, { ...existing(name, current), params: operation.params }) }
    case 'patch':
    case 'merge':
    default:
      return { fields: checkFields(name, patched(operation, existing(name, current), at)) }
  }
}

function contents(name: string, given: Extract<ProfileOperation, { op: 'create' | 'put' }>): Fields {
  const { description = '', documentation = '', meta = {}, params = {}, profiles = [] } = given
  return checkFields(name, { name, description, documentation, meta, params, profiles })
}

function existing(name: string, current: Known | undefined): Fields {
  if (current !== undefined) {
    const { version: _, ...fields } = current.profile
    return fields
  }
  if (nodeOf(name) !== undefined) return emptyFields(name)
  throw noProfile(name)
}

export function noProfile(name: string): FlotillaError {
  return new FlotillaError('NOT_FOUND', `there is no profile ${name}`, {
    hint: `\`flotilla profile create ${name}\` makes it.`,
  })
}

function patched(operation: Extract<ProfileOperation, { op: 'patch' | 'merge' }>, fields: Fields, at: Place): Json {
  const { params } = fields
  const document = operation.at === 'params' ? params : documentOf(fields)
  const result = operation.op === 'merge' ? merged(document, operation.merge) : applied(document, operation, at)
  return operation.at === 'params' ? { ...(documentOf(fields) as object), params: result } : result
}

function merged(document: Json, merge: Json): Json {
  if (!isJsonObject(merge)) throw new FlotillaError('BAD_REQUEST', 'a merge patch is an object')
  return applyMerge(document, merge)
}

function applied(document: Json, operation: Extract<ProfileOperation, { op: 'patch' }>, at: Place): Json {
  const outcome = applyPatch(document, operation.patch)
  if (outcome.ok) return outcome.document
  throw at.failed(outcome.failure, operation.at === 'params' ? '/params' : '')
}

function changeParam(operation: ParamChange & { readonly profile: string }, fields: Fields, at: Place): Edited {
  const { profile, param } = operation
  checkParamName(param)
  const pointer = formatPointer(['params', param])
  const before = memberOf(fields.params, param)
  const withValue = (value: Json): Fields =>
    checkFields(profile, { ...(documentOf(fields) as object), params: { ...fields.params, [param]: value } })
  switch (operation.op) {
    case 'set':
      return { fields: withValue(operation.value) }
    case 'add':
      if (before !== undefined) throw at.lost(pointer, 'it is set already', { actual: before })
      return { fields: withValue(operation.value) }
    case 'remove': {
      if (before === undefined) throw at.lost(pointer, 'it is not set')
      const { [param]: _, ...params } = fields.params
      return { fields: { ...fields, params } }
    }
    case 'increment': {
      const value = sum(before, operation.by ?? 1, pointer)
      return { fields: withValue(value), value }
    }
    case 'append':
    case 'take':
    default: {
      const list = listOf(before, pointer)
      const without = list.filter((each) => !isSame(each, operation.value))
      const isIn = without.length < list.length
      if (isIn === (operation.op === 'append')) return { fields, value: list }
      const value = operation.op === 'append' ? [...list, operation.value] : without
      return { fields: withValue(value), value }
    }
  }
}

function sum(before: Json | undefined, by: number, pointer: string): number {
  if (before !== undefined && typeof before !== 'number') {
    throw invalid(`${pointer} is no number, so nothing can be added to it`)
  }
  const value = (before ?? 0) + by
  if (isExact(value) && isExact(by)) return value
  throw invalid(`${pointer} would become a number that cannot be held exactly`)
}

function listOf(before: Json | undefined, pointer: string): readonly Json[] {
  if (before === undefined) return []
  if (isJsonArray(before)) return before
  throw invalid(`${pointer} is no list`)
}
