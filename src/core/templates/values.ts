import { isJsonArray, isJsonObject, type Json, memberOf as ownMember } from '../json-patch/json.ts'
import { type At, templateError } from './model.ts'

/** Something that is not there, and why: an error as soon as it is used, unless by what looks whether it is. */
export class Missing {
  readonly at: At
  readonly message: string

  constructor(at: At, message: string) {
    this.at = at
    this.message = message
  }

  toError(): Error {
    return templateError(this.at, this.message, 'Set it, or give it another value: … | default "none".')
  }
}

/** Text that says itself how it is to be written: as it is, or as one word of a shell. */
export class Marked {
  readonly text: string
  readonly as: 'raw' | 'shell'

  constructor(text: string, as: 'raw' | 'shell') {
    this.text = text
    this.as = as
  }
}

export type Value = Json | Missing | Marked

/** Throws what is missing. */
export function present(value: Value): Json | Marked {
  if (value instanceof Missing) throw value.toError()
  return value
}

export function dataOf(value: Value): Json {
  const there = present(value)
  return there instanceof Marked ? there.text : there
}

/** As it stands in a text. Throws for what has no such form. */
export function textOf(value: Value, at: At): string {
  const data = dataOf(value)
  if (typeof data === 'string') return data
  if (typeof data === 'number' || typeof data === 'boolean') return String(data)
  if (data === null) throw templateError(at, 'the value is null', 'Give it another: … | default "none".')
  const what = isJsonArray(data) ? 'a list' : 'an object'
  throw templateError(at, `the value is ${what}, which has no text of its own`, 'Write … | json, or use {{ for }}.')
}

/** Of an own member or an item by its number, counted from 0. */
export function memberOf(value: Value, name: string, at: At): Value {
  const data = dataOf(value)
  if (isJsonObject(data)) return ownMember(data, name) ?? new Missing(at, `there is no "${name}" in it`)
  if (isJsonArray(data) && /^\d+$/.test(name) && Number(name) < data.length) return data[Number(name)] ?? null
  return new Missing(at, `there is no "${name}" in it`)
}

/** `false`, `null`, 0, and what is empty are not. */
export function isTrue(value: Value): boolean {
  const data = dataOf(value)
  if (isJsonArray(data)) return data.length > 0
  if (isJsonObject(data)) return hasMembers(data)
  return data !== null && data !== false && data !== 0 && data !== ''
}

function hasMembers(data: object): boolean {
  for (const name in data) if (Object.hasOwn(data, name)) return true
  return false
}
