import { sha256 } from '../../../lib/hash.ts'
import { isDefault, STRUCTURES } from './defaults.ts'
import type { ObjectKind } from './model.ts'
import { isSecretAttribute, isSecretText, MASK } from './secrets.ts'
import type { Element } from './xml.ts'

/**
 * Hash of what an object means: the order of its fields and of the entries of a map, fields that say what they would mean
 * if they were not there, and the salt of encrypted values are not in it.
 */
export function digestOf(kind: ObjectKind, root: Element): string {
  return sha256(`${root.name}${attributesOf(root)}${fieldsOf(kind, root, '')}`)
}

/** Hash of an XML file that is no object: everything counts but white space between tags, comments, and its own id. */
export function plainDigestOf(root: Element): string {
  const children = root.children.filter(({ name }) => name !== 'id')
  return sha256(`${root.name}${attributesOf(root)}${children.map(meaningOf).join('')}`)
}

/** The fields that count, by name. `path` leads to the element, '' for the root. */
function fieldsOf(kind: ObjectKind, { children }: Element, path: string): string {
  const fields: Element[] = []
  for (const child of children) if (!isDefault(kind, path, child)) fields.push(child)
  fields.sort(byName)
  let text = '['
  for (const field of fields) {
    const inner = `${path}${field.name}`
    if (!STRUCTURES.has(inner)) text += meaningOf(field)
    else text += `<${field.name}${attributesOf(field)}${fieldsOf(kind, field, `${inner}/`)}`
  }
  return `${text}]`
}

function byName(a: Element, b: Element): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}

function byKey(a: Element, b: Element): number {
  const [first, second] = [a.attributes['key'] ?? '', b.attributes['key'] ?? '']
  return first < second ? -1 : first > second ? 1 : 0
}

/** What an element says, as a text that is equal for two of the same meaning. Holds no secrets. */
export function meaningOf(element: Element): string {
  const { name, children, text } = element
  const start = `<${name}${attributesOf(element)}`
  if (children.length === 0) return `${start}>${escaped(isSecretText(element) ? MASK : text)}`
  const inOrder = isMap(children) ? children.toSorted(byKey) : children
  let inner = ''
  for (const child of inOrder) inner += meaningOf(child)
  return `${start}[${inner}]`
}

/** GeoServer writes maps in the order of their hashes. */
export function isMap(children: readonly Element[]): boolean {
  return (
    children.length > 0 && children.every(({ name, attributes }) => name === 'entry' && attributes['key'] !== undefined)
  )
}

function attributesOf({ attributes }: Element): string {
  const names = Object.keys(attributes)
  if (names.length === 0) return ''
  let text = ''
  for (const name of names.length > 1 ? names.toSorted() : names) {
    const value = attributes[name] ?? ''
    text += ` ${name}="${escaped(isSecretAttribute(value) ? MASK : value)}"`
  }
  return text
}

/** So that no two trees have the same text. */
function escaped(text: string): string {
  return /[<>"&[\]]/.test(text) ? text.replace(/[<>"&[\]]/g, (found) => `&${found.charCodeAt(0)};`) : text
}
