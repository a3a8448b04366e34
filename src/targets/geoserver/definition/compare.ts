import { isDefault, STRUCTURES } from './defaults.ts'
import { isMap, meaningOf } from './digest.ts'
import type { ObjectKind } from './model.ts'
import { isSecretText, MASK, withoutCredentials } from './secrets.ts'
import { type Element, textIn } from './xml.ts'

const SHOWN_MAX = 60

/**
 * What differs between two versions of an object, for people: `title: "A" → "B"`, `connectionParameters/host: "a" → "b"`,
 * `keywords`. Passwords and whatever is encrypted are masked; another encryption of what may be the same is told, too.
 */
export function differences(kind: ObjectKind, before: Element, after: Element): readonly string[] {
  const found: string[] = []
  compareFields(kind, before, after, '', found)
  return found
}

function compareFields(kind: ObjectKind, before: Element, after: Element, path: string, found: string[]): void {
  const [was, is] = [before, after].map((element) => {
    const fields = element.children.filter((child) => !isDefault(kind, path, child))
    return Map.groupBy(fields, ({ name }) => name)
  })
  for (const name of new Set([...(was?.keys() ?? []), ...(is?.keys() ?? [])])) {
    const [old, now] = [was?.get(name) ?? [], is?.get(name) ?? []]
    const [a, b] = [old[0], now[0]]
    if (STRUCTURES.has(path + name)) {
      compareFields(kind, a ?? NOTHING, b ?? NOTHING, `${path}${name}/`, found)
    } else if (isMapOrNone(a) && isMapOrNone(b) && old.length < 2 && now.length < 2 && (a ?? b) !== undefined) {
      compareMaps(a ?? NOTHING, b ?? NOTHING, path + name, found)
    } else if (!isSame(old, now)) {
      found.push(old.length > 1 || now.length > 1 ? path + name : change(path + name, a, b))
    }
  }
}

const NOTHING: Element = { name: '', attributes: {}, children: [], text: '', at: 0 }

function isMapOrNone(element: Element | undefined): boolean {
  return element === undefined || isMap(element.children)
}

function compareMaps(before: Element, after: Element, path: string, found: string[]): void {
  const [was, is] = [before, after].map(
    ({ children }) => new Map(children.map((entry) => [entry.attributes['key'] ?? '', entry])),
  )
  for (const key of new Set([...(was?.keys() ?? []), ...(is?.keys() ?? [])])) {
    const [old, now] = [was?.get(key), is?.get(key)]
    if (old === undefined || now === undefined || !isSame([old], [now])) found.push(change(`${path}/${key}`, old, now))
  }
}

function isSame(before: readonly Element[], after: readonly Element[]): boolean {
  return textOf(before) === textOf(after) && secretsOf(before) === secretsOf(after)
}

function textOf(elements: readonly Element[]): string {
  return elements.map(meaningOf).join('')
}

/** What `meaningOf` leaves out. */
function secretsOf(elements: readonly Element[]): string {
  return elements.map((element) => (isSecretText(element) ? element.text : secretsOf(element.children))).join('\n')
}

function change(label: string, before: Element | undefined, after: Element | undefined): string {
  const [was, is] = [shown(before), shown(after)]
  return was === undefined || is === undefined || was === is ? label : `${label}: ${was} → ${is}`
}

/** Undefined for what is too much to show. */
function shown(element: Element | undefined): string | undefined {
  if (element === undefined) return 'nothing'
  if (isSecretText(element)) return MASK
  if (element.children.length > 0) return textIn(element, 'name') === '' ? undefined : quoted(textIn(element, 'name'))
  return quoted(element.text)
}

function quoted(text: string): string {
  const line = withoutCredentials(text).replace(/\s+/g, ' ').trim()
  return JSON.stringify(line.length > SHOWN_MAX ? `${line.slice(0, SHOWN_MAX)}…` : line)
}
