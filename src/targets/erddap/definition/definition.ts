import { isActive } from './canonical.ts'
import { elementsAt } from './lenient.ts'
import { contentOf } from './text.ts'
import type { Element } from './xml.ts'

/** One `<dataset>` element, taken apart the way ERDDAP does. */
export interface Definition {
  readonly id: string
  readonly type: string
  readonly active: boolean
  /** Tags with a value, in order: everything but attributes, variables and children. */
  readonly settings: readonly Setting[]
  /** Global `addAttributes`. */
  readonly attributes: readonly Attribute[]
  /** Axis variables, then data variables. */
  readonly variables: readonly Variable[]
  /** Datasets inside this one. */
  readonly children: readonly Definition[]
}

export interface Setting {
  readonly name: string
  /** Its content with its XML attributes, if it has any: comparable, not for display. */
  readonly value: string
  readonly content: string
}

export interface Attribute {
  readonly name: string
  /** `string` if the definition does not say. */
  readonly type: string
  /** Language of a translation; empty for the default. */
  readonly language: string
  readonly value: string
}

export interface Variable {
  readonly kind: 'axis' | 'data'
  /** The name ERDDAP shows: destinationName, else sourceName. */
  readonly name: string
  readonly settings: readonly Setting[]
  readonly attributes: readonly Attribute[]
}

/** Takes the bytes of a `<dataset>` element apart. Throws `Unreadable` if ERDDAP could not read them. */
export function readDefinition(source: Uint8Array): Definition {
  const text = Buffer.from(source.buffer, source.byteOffset, source.byteLength).toString()
  for (const element of elementsAt(text, 0)) return definitionOf(element, text)
  throw new TypeError('no element in the source of a dataset')
}

function definitionOf(dataset: Element, text: string): Definition {
  const named = (name: string) => dataset.children.filter((child) => child.name === name)
  const variables = (kind: Variable['kind']) =>
    named(`${kind}Variable`).map((element) => variableOf(kind, element, text))
  return {
    id: dataset.attributes['datasetID'] ?? '',
    type: dataset.attributes['type'] ?? '',
    active: isActive(dataset.attributes),
    settings: dataset.children.filter(({ name }) => !STRUCTURE.has(name)).map((child) => settingOf(child, text)),
    attributes: named('addAttributes').flatMap((element) => attributesOf(element, text)),
    variables: [...variables('axis'), ...variables('data')],
    children: named('dataset').map((child) => definitionOf(child, text)),
  }
}

const STRUCTURE: ReadonlySet<string> = new Set(['addAttributes', 'axisVariable', 'dataVariable', 'dataset'])

function variableOf(kind: Variable['kind'], element: Element, text: string): Variable {
  const settings = element.children
    .filter(({ name }) => name !== 'addAttributes')
    .map((child) => settingOf(child, text))
  const content = (name: string) => settings.findLast((setting) => setting.name === name)?.content
  return {
    kind,
    name: content('destinationName') || content('sourceName') || '',
    settings,
    attributes: element.children
      .filter(({ name }) => name === 'addAttributes')
      .flatMap((add) => attributesOf(add, text)),
  }
}

function settingOf(element: Element, text: string): Setting {
  const content = contentOf(text.slice(element.inner, element.innerEnd))
  const attributes = Object.entries(element.attributes).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return { name: element.name, value: JSON.stringify([content, attributes]), content }
}

function attributesOf(addAttributes: Element, text: string): readonly Attribute[] {
  return addAttributes.children.map(({ attributes, inner, innerEnd }) => ({
    name: attributes['name'] ?? '',
    type: attributes['type'] ?? 'string',
    language: attributes['xml:lang'] ?? '',
    value: contentOf(text.slice(inner, innerEnd)),
  }))
}
