/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject

export interface JsonObject {
  readonly [name: string]: Json
}

/** Names that reach an object's prototype in careless code, ours or a reader's. */
const HOSTILE = new Set(['__proto__', 'constructor', 'prototype'])

export function isHostile(name: string): boolean {
  return HOSTILE.has(name)
}

export function isJsonObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isJsonArray(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}

/** Own members only: what an object inherits is no part of its JSON. */
export function memberOf(object: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

/** An amount of work that is taken from as it is done: what could take for ever ends with `Spent`. */
export class Budget {
  #left: number

  constructor(steps: number) {
    this.#left = steps
  }

  spend(steps: number): void {
    this.#left -= steps
    if (this.#left < 0) throw new Spent()
  }
}

export class Spent extends Error {}

const UNLIMITED = new Budget(Infinity)

/**
 * Whether two values say the same, as RFC 6902 (4.6) has it: the order of members does not count, and 1 equals 1.0.
 * No deeper than the shallower of both.
 */
export function isSame(a: Json, b: Json, budget: Budget = UNLIMITED): boolean {
  budget.spend(1)
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (isJsonArray(a)) {
    if (!isJsonArray(b) || a.length !== b.length) return false
    return a.every((each, index) => isSame(each, b[index] as Json, budget))
  }
  if (isJsonArray(b)) return false
  const names = Object.keys(a)
  if (names.length !== Object.keys(b).length) return false
  return names.every((name) => Object.hasOwn(b, name) && isSame(a[name] as Json, b[name] as Json, budget))
}

/** Why a value cannot be kept as it is; undefined for one that can. */
export type Unfit = 'too deep' | 'a name that may not be used' | 'a number that cannot be held exactly' | 'no JSON'

/**
 * Looks at all of a value that somebody sent. Integers beyond 2^53 - 1 and -0 would come out as something else, so they
 * are unfit; send them as strings. So is what JSON cannot say at all: `undefined`, `NaN`, half a surrogate pair.
 */
export function unfitness(value: unknown, depth: number, budget: Budget = UNLIMITED): Unfit | undefined {
  budget.spend(1)
  if (value === null || typeof value === 'boolean') return undefined
  if (typeof value === 'string') return value.isWellFormed() ? undefined : 'no JSON'
  if (typeof value === 'number') return isExact(value) ? undefined : 'a number that cannot be held exactly'
  return typeof value === 'object' ? unfitInside(value, depth, budget) : 'no JSON'
}

function unfitInside(value: object, depth: number, budget: Budget): Unfit | undefined {
  if (depth <= 0) return 'too deep'
  if (Array.isArray(value)) {
    for (const each of value) {
      const unfit = unfitness(each, depth - 1, budget)
      if (unfit !== undefined) return unfit
    }
    return undefined
  }
  for (const name of Object.keys(value)) {
    if (isHostile(name)) return 'a name that may not be used'
    if (!name.isWellFormed()) return 'no JSON'
    const unfit = unfitness((value as JsonObject)[name], depth - 1, budget)
    if (unfit !== undefined) return unfit
  }
  return undefined
}

/** Fractions are doubles, as everywhere in JSON; a whole number is one or it is refused. */
export function isExact(number: number): boolean {
  return Number.isFinite(number) && Math.abs(number) <= Number.MAX_SAFE_INTEGER && !Object.is(number, -0)
}
