import { canonicalOf } from './canonical.ts'
import { type Attribute, type Definition, readDefinition, type Setting, type Variable } from './definition.ts'
import { isSoftAttribute, isSoftSetting, isTimeUnits } from './effects.ts'
import { elementsAt } from './lenient.ts'

export interface DatasetDifference {
  /**
   * `soft`: a flag that reloads the dataset is enough. `hard`: what ERDDAP keeps of the data files must go too. A change to
   * inactive, and any change while inactive, is `soft`: ERDDAP only has to look.
   */
  readonly effect: 'none' | 'soft' | 'hard'
  /** In the user's words: `title`, `fileDir`, `variable time: units`, `active`. */
  readonly details: readonly string[]
}

/**
 * What differs in meaning between two versions of one `<dataset>` element. The order of variables and attributes counts.
 * `none` exactly when their digests are equal. What is not known to be harmless is `hard`.
 */
export function compareDatasets(before: Uint8Array, after: Uint8Array): DatasetDifference {
  const from = readDefinition(before)
  const to = readDefinition(after)
  const found = new Differences()
  if (from.active !== to.active) found.add('active', 'soft')
  compareDefinitions(from, to, '', found)
  if (found.details.size === 0 && !isSame(before, after)) found.add('order of elements', 'soft')
  if (found.details.size === 0) return { effect: 'none', details: [] }
  return { effect: found.isHard && to.active ? 'hard' : 'soft', details: [...found.details] }
}

class Differences {
  readonly details = new Set<string>()
  isHard = false

  add(detail: string, effect: 'soft' | 'hard'): void {
    this.details.add(detail)
    if (effect === 'hard') this.isHard = true
  }
}

function isSame(before: Uint8Array, after: Uint8Array): boolean {
  const [a, b] = [before, after].map((source) => {
    const text = Buffer.from(source).toString()
    return Array.from(elementsAt(text, 0), (element) => canonicalOf(element, text)).join('')
  })
  return a === b
}

/** `where` begins every detail: empty for the dataset itself. */
function compareDefinitions(before: Definition, after: Definition, where: string, found: Differences): void {
  if (before.type !== after.type) found.add(`${where}type`, 'hard')
  compareSettings(before.settings, after.settings, where, found)
  compareAttributes(before.attributes, after.attributes, where, found)
  compareLists(before.variables, after.variables, VARIABLES, where, found, (a, b, inside) => {
    compareSettings(a.settings, b.settings, inside, found)
    compareAttributes(a.attributes, b.attributes, inside, found)
  })
  compareLists(before.children, after.children, CHILDREN, where, found, (a, b, inside) => {
    if (a.active !== b.active) found.add(`${inside}active`, 'hard')
    compareDefinitions(a, b, inside, found)
  })
}

function compareSettings(
  before: readonly Setting[],
  after: readonly Setting[],
  where: string,
  found: Differences,
): void {
  const [a, b] = [before, after].map((settings) => Map.groupBy(settings, ({ name }) => name))
  for (const name of new Set([...(a?.keys() ?? []), ...(b?.keys() ?? [])])) {
    const values = [a, b].map((settings) =>
      settings
        ?.get(name)
        ?.map(({ value }) => value)
        .join('\n'),
    )
    if (values[0] !== values[1]) found.add(where + name, isSoftSetting(name) ? 'soft' : 'hard')
  }
}

function compareAttributes(
  before: readonly Attribute[],
  after: readonly Attribute[],
  where: string,
  found: Differences,
): void {
  const [a, b] = [before, after].map((attributes) => Map.groupBy(attributes, labelOf))
  for (const name of new Set([...(a?.keys() ?? []), ...(b?.keys() ?? [])])) {
    const [was = [], is = []] = [a?.get(name), b?.get(name)]
    if (written(was) === written(is)) continue
    const times = name === 'units' && [...was, ...is].some(({ value }) => isTimeUnits(value))
    found.add(where + name, isSoftAttribute(name) && !times ? 'soft' : 'hard')
  }
}

function labelOf({ name, language }: Attribute): string {
  return language === '' ? name : `${name} (${language})`
}

function written(attributes: readonly Attribute[]): string {
  return JSON.stringify(attributes.map(({ type, value }) => [type, value]))
}

interface ListKind<T> {
  readonly label: (item: T) => string
  readonly plural: string
}

const VARIABLES: ListKind<Variable> = {
  label: ({ kind, name }) => (kind === 'axis' ? `axis ${name}` : `variable ${name}`),
  plural: 'variables',
}
const CHILDREN: ListKind<Definition> = { label: ({ id }) => `child dataset ${id}`, plural: 'child datasets' }

/** Added, removed and reordered items are hard; `compare` looks into those on both sides. */
function compareLists<T>(
  before: readonly T[],
  after: readonly T[],
  { label, plural }: ListKind<T>,
  where: string,
  found: Differences,
  compare: (before: T, after: T, where: string) => void,
): void {
  const [a = new Map(), b = new Map()] = [before, after].map((items) => byLabel(items, label))
  for (const name of a.keys()) if (!b.has(name)) found.add(`${where}${name}: removed`, 'hard')
  for (const name of b.keys()) if (!a.has(name)) found.add(`${where}${name}: added`, 'hard')
  const common = [...a.keys()].filter((name) => b.has(name))
  const reordered = [...b.keys()].filter((name) => a.has(name)).some((name, index) => name !== common[index])
  if (reordered) found.add(`${where}order of ${plural}`, 'hard')
  for (const name of common) compare(a.get(name) as T, b.get(name) as T, `${where}${name}: `)
}

/** Each under its label; the second of a name is told apart by a number. */
function byLabel<T>(items: readonly T[], label: (item: T) => string): Map<string, T> {
  const named = new Map<string, T>()
  for (const item of items) {
    const name = label(item)
    let unique = name
    for (let count = 2; named.has(unique); count++) unique = `${name} #${count}`
    named.set(unique, item)
  }
  return named
}
