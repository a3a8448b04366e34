import type { Covered, ListName } from '../lists.ts'
import { type AddressRange, parseAddresses } from './address.ts'

/** Which of `values` lie within an entry of the list, and which one that is. All are written as `listValue` writes them. */
export function coveredBy(list: ListName, values: readonly string[], entries: readonly string[]): readonly Covered[] {
  if (values.length === 0) return []
  return list === 'subscriptionEmailBlacklist' ? coveredEmails(values, entries) : coveredAddresses(values, entries)
}

function coveredEmails(values: readonly string[], entries: readonly string[]): readonly Covered[] {
  const all = new Set(entries)
  return values.flatMap((value) => {
    const by = `*${value.slice(value.indexOf('@'))}`
    return by !== value && all.has(by) ? [{ value, by }] : []
  })
}

function coveredAddresses(values: readonly string[], entries: readonly string[]): readonly Covered[] {
  const ranges = entries.flatMap((by) => {
    const range = parseAddresses(by)
    return range === undefined || range.first === range.last ? [] : [{ by, range }]
  })
  return values.flatMap((value) => {
    const inner = parseAddresses(value)
    const outer = inner && ranges.find(({ by, range }) => by !== value && contains(range, inner))
    return outer === undefined ? [] : [{ value, by: outer.by }]
  })
}

function contains(outer: AddressRange, inner: AddressRange): boolean {
  return outer.family === inner.family && outer.first <= inner.first && inner.last <= outer.last
}
