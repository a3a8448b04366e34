import { FlotillaError } from '../errors.ts'
import type { ListName } from '../lists.ts'
import { type AddressRange, formatAddress, formatAddresses, longV6, parseAddresses, shortV6 } from './address.ts'

/** A list as ERDDAP's setting of that name must hold it. */
export interface ErddapList {
  /** In a stable order, without repeats; none holds a comma or white space. */
  readonly values: readonly string[]
  /** What ERDDAP has no way to say, or only with more values than it should be given: for a proxy to enforce. */
  readonly left: readonly { readonly value: string; readonly why: string }[]
}

export const LIST_LIMITS = {
  /** Characters of one value as it is given. */
  value: 254,
  /** How many of ERDDAP's values one given value may become. */
  expanded: 1024,
  /** Single addresses that a network on `ipAddressUnlimited` may stand for. */
  unlimited: 256,
  /** Addresses and networks of one setting; one of IPv6 can take several texts. */
  total: 20_000,
} as const

/**
 * The one way to write a value of a list, so that equal values are equal keys. Throws `BAD_REQUEST` for what is none.
 *
 * E-mail addresses are compared without case by ERDDAP, and `*@example.org` stands for everybody there.
 * (`Subscriptions.setEmailBlacklist`)
 */
export function listValue(list: ListName, text: string): string {
  const given = text.trim()
  if (list === 'subscriptionEmailBlacklist') {
    const email = given.toLowerCase()
    if (email.length <= LIST_LIMITS.value && EMAIL.test(email)) return email
    throw new FlotillaError('BAD_REQUEST', `${JSON.stringify(given.slice(0, 80))} is no e-mail address`, {
      hint: 'It looks like bob@example.org, or *@example.org for everybody there.',
    })
  }
  const range = given.length <= LIST_LIMITS.value ? parseAddresses(given) : undefined
  if (range !== undefined) return formatAddresses(range)
  throw new FlotillaError('BAD_REQUEST', `${JSON.stringify(given.slice(0, 80))} is no address`, {
    hint: 'It looks like 192.0.2.7, 192.0.2.0/24, 192.0.2.10-192.0.2.20, 2001:db8::7 or 2001:db8::/112.',
  })
}

/** `${` would be replaced by ERDDAP from its environment, a comma ends a value, a quote begins one. */
const EMAIL = /^(?:\*|[a-z0-9!#%&'*+/=?^_`|~.-]{1,64})@[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/

/**
 * Says values of a list in the forms that ERDDAP understands. Pure; what is no value of that list is left out.
 *
 * `requestBlacklist`: whole addresses, and for those that share all but the last part, or the last two, `a.b.c.*` and
 * `a.b.*.*`, of IPv6 likewise. ERDDAP compares texts, with the address as the proxy before it wrote it, so a network of
 * IPv6 is said in every way its addresses can be written. (`EDStatic.isOnBlacklist`, `EDStatic.getIPAddress`)
 * `ipAddressUnlimited`: whole addresses only. (`Erddap.doGet`)
 */
export function erddapList(list: ListName, values: readonly string[]): ErddapList {
  const sorted = [...new Set(values)].toSorted()
  if (list === 'subscriptionEmailBlacklist') {
    const emails = sorted.filter((value) => value.length <= LIST_LIMITS.value && EMAIL.test(value))
    return within(emails)
  }
  const units = list === 'requestBlacklist' ? PATTERN_UNITS : SINGLE_UNITS
  const limit = list === 'requestBlacklist' ? LIST_LIMITS.expanded : LIST_LIMITS.unlimited
  const left: ErddapList['left'][number][] = []
  const ranges: AddressRange[] = []
  let total = 0
  for (const value of sorted) {
    const range = value.length <= LIST_LIMITS.value ? parseAddresses(value) : undefined
    if (range === undefined) continue
    const count = countOf(range, units)
    total += count <= limit ? Number(count) : 0
    const why = count > limit ? tooWide(list) : total > LIST_LIMITS.total ? TOO_MANY : undefined
    if (why === undefined) ranges.push(range)
    else left.push({ value, why })
  }
  const said = merged(ranges).flatMap((range) => split(range, units))
  return { values: [...new Set(said)], left }
}

const TOO_MANY = `ERDDAP is given at most ${LIST_LIMITS.total} values of a list`

function tooWide(list: ListName): string {
  return list === 'requestBlacklist'
    ? 'ERDDAP knows whole addresses and networks by their last part or two; this one would be too many of them'
    : `ERDDAP knows single addresses only here; this stands for more than ${LIST_LIMITS.unlimited}`
}

function within(values: readonly string[]): ErddapList {
  const left = values.slice(LIST_LIMITS.total).map((value) => ({ value, why: TOO_MANY }))
  return { values: values.slice(0, LIST_LIMITS.total), left }
}

/** Sizes of what ERDDAP can name, as powers of two, the widest first. */
type Units = Readonly<Record<4 | 6, readonly bigint[]>>

const PATTERN_UNITS: Units = { 4: [16n, 8n, 0n], 6: [32n, 16n, 0n] }
const SINGLE_UNITS: Units = { 4: [0n], 6: [0n] }

/** Without overlaps, sorted, IPv4 first. */
function merged(ranges: readonly AddressRange[]): readonly AddressRange[] {
  const sorted = ranges.toSorted((a, b) => a.family - b.family || compare(a.first, b.first))
  const result: AddressRange[] = []
  for (const range of sorted) {
    const before = result.at(-1)
    if (before?.family === range.family && range.first <= before.last + 1n) {
      const last = range.last > before.last ? range.last : before.last
      result[result.length - 1] = { ...before, last }
    } else {
      result.push(range)
    }
  }
  return result
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function split({ family, first, last }: AddressRange, units: Units): readonly string[] {
  const said: string[] = []
  for (let at = first; at <= last;) {
    const bits = widest(at, last, units[family])
    said.push(...(family === 4 ? [patternV4(at, bits)] : patternsV6(at, bits)))
    at += 1n << bits
  }
  return said
}

function widest(at: bigint, last: bigint, units: readonly bigint[]): bigint {
  return units.find((bits) => at % (1n << bits) === 0n && at + (1n << bits) - 1n <= last) ?? 0n
}

/** How many units a range is made of, without making them. */
function countOf({ family, first, last }: AddressRange, units: Units): bigint {
  return count(first, last + 1n, units[family])
}

/** What whole units of the widest size do not fill stands at both ends, for the narrower ones. */
function count(from: bigint, to: bigint, [bits, ...narrower]: readonly bigint[]): bigint {
  if (bits === undefined || from >= to) return 0n
  const [start, end] = inner(from, to, bits)
  if (start >= end) return count(from, to, narrower)
  return ((end - start) >> bits) + count(from, start, narrower) + count(end, to, narrower)
}

/** The part of a range that whole units of `bits` fill. */
function inner(from: bigint, to: bigint, bits: bigint): readonly [bigint, bigint] {
  const size = 1n << bits
  return [((from + size - 1n) / size) * size, (to / size) * size]
}

function patternV4(at: bigint, bits: bigint): string {
  const parts = formatAddress(4, at).split('.')
  const stars = Number(bits / 8n)
  return [...parts.slice(0, 4 - stars), ...Array.from({ length: stars }, () => '*')].join('.')
}

/** A text has two forms, and which groups are written as `::` depends on whether those behind the prefix are zero. */
function patternsV6(at: bigint, bits: bigint): readonly string[] {
  const free = bits === 0n ? [0n] : bits === 16n ? [0n, 1n] : [0n, 1n, 1n << 16n, (1n << 16n) + 1n]
  const texts = free.flatMap((rest) => [shortV6(at + rest), longV6(at + rest)])
  return [...new Set(texts.map((text) => withStars(text, bits)))].toSorted()
}

/** As ERDDAP makes it of the address that it compares. */
function withStars(text: string, bits: bigint): string {
  const last = text.lastIndexOf(':')
  if (bits === 0n) return text
  if (bits === 16n) return `${text.slice(0, last + 1)}*`
  return `${text.slice(0, text.lastIndexOf(':', last - 1) + 1)}*:*`
}
