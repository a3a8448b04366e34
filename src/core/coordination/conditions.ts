import { type LinearPattern, matchesIn } from './linear-pattern.ts'

/** What somebody waits for one value to be. */
export type Condition =
  | { readonly is: 'equals'; readonly value: unknown }
  | { readonly is: 'matches'; readonly pattern: LinearPattern }
  | { readonly is: 'exists' }
  | { readonly is: 'absent' }

/** Of what is waited for: a param or a member of `meta`. */
export type Subject = { readonly in: 'params' | 'meta'; readonly key: string }

/** Longer texts do not match: a hub looks at them whenever they change. */
export const MATCHED_CHARS_MAX = 16_384

/** Whether a value, undefined where there is none, is what is waited for. A pattern looks at a text, or at the JSON of anything else. */
export function meets(condition: Condition, found: unknown): boolean {
  switch (condition.is) {
    case 'exists':
      return found !== undefined
    case 'absent':
      return found === undefined
    case 'equals':
      return found !== undefined && sameJson(condition.value, found)
    default:
      return found !== undefined && matches(condition.pattern, found)
  }
}

function matches(pattern: LinearPattern, found: unknown): boolean {
  const text = typeof found === 'string' ? found : JSON.stringify(found)
  return text.length <= MATCHED_CHARS_MAX && matchesIn(pattern, text)
}

/** The value that a subject has in the JSON of a profile; undefined where there is none. Own members only. */
export function valueOf(document: unknown, subject: Subject): unknown {
  return member(member(document, subject.in), subject.key)
}

function member(value: unknown, name: string): unknown {
  return isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Equal as JSON: the order of members does not matter. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, at) => sameJson(item, b[at]))
  }
  if (!isRecord(a) || !isRecord(b)) return false
  const names = Object.keys(a)
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && sameJson(a[name], b[name]))
  )
}
