import { matchesIn, parseLinearPattern } from '../../core/coordination/linear-pattern.ts'
import { isError } from '../../core/errors.ts'
import { isJsonArray, isSame, type Json, type JsonObject, memberOf } from '../../core/json-patch/json.ts'
import { notAcceptable, type About } from './refusal.ts'
import { memberMap, type Thing } from './things.ts'

/** A query as it comes: several of one name are a list. */
export type Query = Readonly<Record<string, string | readonly string[]>>

export interface Listed {
  readonly things: readonly Thing[]
  /** That match, before `offset` and `limit`. */
  readonly matched: number
  readonly total: number
}

const META_FILTERS = new Set(['offset', 'limit', 'sort', 'reverse', 'slim', 'params', 'decode', 'token', 'force'])

/** The names of params that a query asks about. */
export function paramsIn(query: Query): readonly string[] {
  return Object.keys(query).filter((name) => !META_FILTERS.has(name) && !isField(name) && !name.startsWith('Meta.'))
}

/** Names of fields are those of Go. */
function isField(name: string): boolean {
  return /^[A-Z]\w*$/.test(name)
}

/**
 * `Name=Eq(example)&sort=Name&limit=3`: filters of different names must all match, of one name any. Throws 406.
 * `counting`: by key, the params that count for it where it has none of its own.
 */
export function filtered(
  all: readonly Thing[],
  query: Query,
  { about, counting }: { readonly about: About; readonly counting: ReadonlyMap<string, JsonObject> },
): Listed {
  const filters = Object.entries(query).filter(([name]) => !META_FILTERS.has(name))
  const tests = filters.map(([name, values]) => {
    if (!isFilterable(name, all)) throw notAcceptable(about, `Filter not found: ${name}`)
    const any = [values].flat().map((text) => testOf(text, about))
    return (thing: Thing): boolean =>
      any.some((test) => test(valueOf(thing.object, name) ?? memberOf(counting.get(thing.key) ?? {}, name)))
  })
  const matching = all.filter((thing) => tests.every((test) => test(thing)))
  const order = one(query, 'sort')
  const inOrder = order === undefined ? matching : matching.toSorted((a, b) => compared(a, b, order))
  const turned = 'reverse' in query ? inOrder.toReversed() : inOrder
  const offset = numberIn(query, 'offset', 0, about)
  const limit = numberIn(query, 'limit', Infinity, about)
  return { things: turned.slice(offset, offset + limit), matched: matching.length, total: all.length }
}

/** Less the members that `slim` names, and with no other params than those asked for. */
export function slimmed(object: JsonObject, query: Query): JsonObject {
  const away = one(query, 'slim')?.split(',') ?? []
  const wanted = one(query, 'params')?.split(',')
  const params = memberMap(object, 'Params')
  return {
    ...object,
    ...(wanted !== undefined && { Params: only(params, wanted) }),
    ...Object.fromEntries(away.filter((name) => name === 'Params' || name === 'Meta').map((name) => [name, {}])),
  }
}

export function only(params: JsonObject, wanted: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(params).filter(([name]) => wanted.includes(name)))
}

export function one(query: Query, name: string): string | undefined {
  const value = Object.hasOwn(query, name) ? query[name] : undefined
  return typeof value === 'object' ? value[0] : value
}

function numberIn(query: Query, name: string, fallback: number, about: About): number {
  const text = one(query, name)
  if (text === undefined) return fallback
  if (!/^-?\d{1,9}$/.test(text)) throw notAcceptable(about, `${name} not valid: ${text.slice(0, 50)}`)
  // Its clients send -1 for none.
  return Number(text) < 0 ? fallback : Number(text)
}

/** A field, a param that some have, or `Meta.x`. Where there is nothing yet, any name may be that of a param. */
function isFilterable(name: string, all: readonly Thing[]): boolean {
  const [first] = all
  return first === undefined || !isField(name) || Object.hasOwn(first.object, name)
}

function valueOf(object: JsonObject, name: string): Json | undefined {
  if (name.startsWith('Meta.')) return memberOf(memberMap(object, 'Meta'), name.slice('Meta.'.length))
  return memberOf(object, name) ?? memberOf(memberMap(object, 'Params'), name)
}

type Test = (value: Json | undefined) => boolean

function testOf(text: string, about: About): Test {
  const [, op = 'Eq', inside = text] = /^(Eq|Ne|Lt|Lte|Gt|Gte|Re|Between|Except|In|Nin)\((.*)\)$/s.exec(text) ?? []
  switch (op) {
    case 'Ne':
      return (value) => !equals(value, inside)
    case 'Lt':
      return (value) => order(value, inside) < 0
    case 'Lte':
      return (value) => order(value, inside) <= 0
    case 'Gt':
      return (value) => order(value, inside) > 0
    case 'Gte':
      return (value) => order(value, inside) >= 0
    case 'Between':
    case 'Except': {
      const [low = '', high = ''] = inside.split(',')
      const isIn: Test = (value) => order(value, low) >= 0 && order(value, high) <= 0
      return op === 'Between' ? isIn : (value) => !isIn(value)
    }
    case 'In':
    case 'Nin': {
      const isIn: Test = (value) => inside.split(',').some((each) => equals(value, each))
      return op === 'In' ? isIn : (value) => !isIn(value)
    }
    case 'Re':
      return matching(inside, about)
    default:
      return (value) => equals(value, inside)
  }
}

/** In time that grows with the text alone, as RE2's. */
function matching(pattern: string, about: About): Test {
  try {
    const parsed = parseLinearPattern(pattern)
    return (value) => matchesIn(parsed, typeof value === 'string' ? value : JSON.stringify(value ?? null))
  } catch (error) {
    throw isError(error) ? notAcceptable(about, error.message) : error
  }
}

/** A list has what one of its elements is, so `Profiles=Eq(example)` finds all that have that profile. */
function equals(value: Json | undefined, text: string): boolean {
  if (value === undefined) return false
  if (typeof value === 'string') return value === text
  if (isJsonArray(value) && value.some((each) => equals(each, text))) return true
  try {
    return isSame(value, JSON.parse(text) as Json)
  } catch {
    return false
  }
}

/** NaN where there is no order between both: no comparison holds then. */
function order(value: Json | undefined, text: string): number {
  if (typeof value === 'string') return value < text ? -1 : value > text ? 1 : 0
  return typeof value === 'number' && text.trim() !== '' ? value - Number(text) : NaN
}

function compared(a: Thing, b: Thing, name: string): number {
  const [x, y] = [a, b].map(({ object }) => valueOf(object, name))
  if (typeof x === 'number' && typeof y === 'number') return x - y
  const [s = '', t = ''] = [x, y].map((value) => (typeof value === 'string' ? value : JSON.stringify(value ?? null)))
  return s < t ? -1 : s === t ? 0 : 1
}
