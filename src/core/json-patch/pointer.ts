import { isJsonArray, type Json, memberOf } from './json.ts'

/** A JSON Pointer (RFC 6901) as the names on its way; undefined for a text that is none. */
export function parsePointer(text: string): readonly string[] | undefined {
  if (text === '') return []
  if (!text.startsWith('/') || /~(?![01])/.test(text)) return undefined
  return text
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

export function formatPointer(names: readonly string[]): string {
  return names.map((name) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

const INDEX = /^(?:0|[1-9]\d{0,15})$/

/** The index that a name means in an array: digits without a leading zero, and nothing else. */
export function parseIndex(name: string): number | undefined {
  return INDEX.test(name) ? Number(name) : undefined
}

/** What a pointer leads to; undefined where there is nothing. Sees own members only. */
export function lookUp(document: Json, names: readonly string[]): Json | undefined {
  let at: Json | undefined = document
  for (const name of names) {
    if (typeof at !== 'object' || at === null) return undefined
    if (isJsonArray(at)) {
      const index = parseIndex(name)
      at = index === undefined ? undefined : at[index]
    } else at = memberOf(at, name)
    if (at === undefined) return undefined
  }
  return at
}
