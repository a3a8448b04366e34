import { isJsonArray, type Json } from '../json-patch/json.ts'
import { type At, TEMPLATE_LIMITS, templateError } from './model.ts'
import { dataOf, Marked, memberOf, Missing, present, textOf, type Value } from './values.ts'

/** Two wishes that are the same have the same. */
export function wishId({ profile, ttlSeconds, params }: TokenWish): string {
  return JSON.stringify([profile, ttlSeconds, params])
}

/** What functions ask of the world around the template. */
export interface Surroundings {
  /** Undefined where no profile has it, and nothing stands in for it. */
  param(key: string): Json | undefined
  /** Of the hub, without a slash at the end. */
  readonly apiUrl: string | undefined
  /** A token for the profile; empty while it has to be made first. */
  token(wish: TokenWish, at: At): string
  /** The value with every text in it rendered as a template of its own. */
  expand(key: string, value: Json, at: At): Json
}

export interface TokenWish {
  readonly profile: string
  readonly ttlSeconds: number
  /** Of that profile; all of them, and the meta, where none is named. */
  readonly params: readonly string[]
}

interface TemplateFunction {
  /** Fewest and most values, with the one before a `|` as the first. */
  readonly takes: readonly [number, number]
  /** One line for the documentation. */
  readonly summary: string
  run(values: readonly Value[], around: Surroundings, at: At): Value
}

/** Every function there is. Those that take a text as their last value are mostly written behind a `|`. */
export const FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  param: {
    takes: [1, 1],
    summary: 'the value of a param; an error where there is none',
    run: ([key = null], around, at) => paramOf(textOf(key, at), around, at),
  },
  paramExists: {
    takes: [1, 1],
    summary: 'whether a param has a value, be it its default',
    run: ([key = null], around, at) => around.param(textOf(key, at)) !== undefined,
  },
  paramAsJSON: {
    takes: [1, 1],
    summary: 'the value of a param as JSON on one line',
    run: ([key = null], around, at) => JSON.stringify(dataOf(paramOf(textOf(key, at), around, at))),
  },
  paramExpand: {
    takes: [1, 1],
    summary: 'the value of a param, with every text in it rendered as a template',
    run([key = null], around, at) {
      const name = textOf(key, at)
      const value = paramOf(name, around, at)
      return value instanceof Missing ? value : around.expand(name, dataOf(value), at)
    },
  },
  exists: {
    takes: [1, 1],
    summary: 'whether there is such a value',
    run: ([value = null]) => !(value instanceof Missing),
  },
  default: {
    takes: [2, 2],
    summary: 'another value where there is none, or null',
    run: ([value = null, other = null]) => (value instanceof Missing || value === null ? other : value),
  },
  get: {
    takes: [2, 2],
    summary: 'a member of an object, or an item of a list by its number from 0',
    run: ([value = null, name = null], _, at) => memberOf(value, textOf(name, at), at),
  },
  length: {
    takes: [1, 1],
    summary: 'how many items a list has, or characters a text',
    run([value = null], _, at) {
      const data = dataOf(value)
      return isJsonArray(data) ? data.length : Array.from(textOf(data, at)).length
    },
  },
  join: {
    takes: [2, 2],
    summary: 'the items of a list as one text, with something between them',
    run([value = null, between = null], _, at) {
      const data = dataOf(value)
      if (!isJsonArray(data)) throw templateError(at, 'join takes a list')
      return data.map((item) => textOf(item, at)).join(textOf(between, at))
    },
  },
  json: {
    takes: [1, 1],
    summary: 'as JSON on one line',
    run: ([value = null]) => JSON.stringify(dataOf(value)),
  },
  shell: {
    takes: [1, 1],
    summary: 'as one word of a shell; in a shell script everything is quoted as its place needs it without that',
    run: ([value = null], _, at) => new Marked(textOf(value, at), 'shell'),
  },
  raw: {
    takes: [1, 1],
    summary: 'as it is: nothing is quoted, and nothing refused',
    run: ([value = null], _, at) => new Marked(textOf(value, at), 'raw'),
  },
  apiURL: {
    takes: [0, 0],
    summary: 'the address of the hub',
    run: (_, { apiUrl }, at) => apiUrl ?? new Missing(at, 'there is no hub, so it has no address'),
  },
  generateProfileToken: {
    takes: [2, 18],
    summary: `a token to read and write one profile, or only those of its params that are named, for so many seconds (${TEMPLATE_LIMITS.tokenMinSeconds} to ${TEMPLATE_LIMITS.tokenMaxSeconds})`,
    run([profile = null, ttl = null, ...params], around, at) {
      const ttlSeconds = dataOf(ttl)
      const { tokenMinSeconds: min, tokenMaxSeconds: max } = TEMPLATE_LIMITS
      if (typeof ttlSeconds !== 'number' || !Number.isInteger(ttlSeconds) || ttlSeconds < min || ttlSeconds > max)
        throw templateError(at, `a token is for ${min} to ${max} seconds`)
      const names = params.map((one) => textOf(one, at))
      return around.token({ profile: textOf(present(profile), at), ttlSeconds, params: names }, at)
    },
  },
}

function paramOf(key: string, around: Surroundings, at: At): Value {
  const value = around.param(key)
  return value === undefined ? new Missing(at, `the param "${key}" has no value`) : value
}
