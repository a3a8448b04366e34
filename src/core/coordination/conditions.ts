import { isSame, type Json } from '../json-patch/json.ts'
import { type LinearPattern, matchesIn } from './linear-pattern.ts'

/** What somebody waits for one value to be. */
export type Condition =
  | { readonly is: 'equals'; readonly value: Json }
  | { readonly is: 'matches'; readonly pattern: LinearPattern }
  | { readonly is: 'exists' }
  | { readonly is: 'absent' }

/** Of what is waited for: a param or a member of `meta`. */
export type Subject = { readonly in: 'params' | 'meta'; readonly key: string }

/** Longer texts do not match: a hub looks at them whenever they change, for each of those who wait. */
const MATCHED_CHARS_MAX = 1024
const STEPS_PER_PLACE = 4

/** Whether a value, undefined where there is none, is what is waited for. A pattern looks at a text, or at the JSON of anything else. */
export function meets(condition: Condition, found: unknown): boolean {
  if (condition.is === 'absent') return found === undefined
  if (found === undefined || condition.is === 'exists') return found !== undefined
  return condition.is === 'equals' ? isSame(condition.value, found as Json) : matches(condition.pattern, found)
}

/** What looking at it costs, in places of those who wait: one, and more for a pattern of many steps. */
export function placesOf(condition: Condition): number {
  return condition.is === 'matches' ? Math.ceil(condition.pattern.steps.length / STEPS_PER_PLACE) : 1
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
