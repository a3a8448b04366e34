import { type Element, element } from './xml.ts'

/** The element that links to another object: an Atom link in XML, `href` in JSON. */
const LINK = 'atom:link'

const NUMBER = /^-?\d+(\.\d+)?(E-?\d+)?$/

type Json = string | number | boolean | { [key: string]: Json | Json[] }

/** The value of an element as GeoServer's JSON has it (XStream's Jettison): one child is no array, numbers are guessed. */
export function toJson(node: Element): Json {
  const attributes = Object.entries(node.attributes)
  if (node.children.length === 0) {
    if (attributes.length === 0) return guess(node.text ?? '')
    const text = node.text ?? ''
    return { ...Object.fromEntries(attributes.map(([key, value]) => [`@${key}`, guess(value)])), ...withText(text) }
  }
  const only = node.children[0]
  if (node.children.length === 1 && only?.name === LINK) return only.attributes['href'] ?? ''
  const made: { [key: string]: Json | Json[] } = {}
  for (const [key, value] of attributes) made[`@${key}`] = guess(value)
  for (const child of node.children) {
    if (child.name === LINK) {
      made['href'] = child.attributes['href'] ?? ''
      continue
    }
    const key = child.name.replace(/^__/, '_')
    const value = toJson(child)
    const before = made[key]
    if (before === undefined) made[key] = child.attributes['list'] === undefined ? value : [value]
    else made[key] = Array.isArray(before) ? [...before, value] : [before, value]
  }
  return made
}

function withText(text: string): { $?: string } {
  return text === '' ? {} : { $: text }
}

function guess(text: string): Json {
  if (text === 'true' || text === 'false') return text === 'true'
  return NUMBER.test(text) ? Number(text) : text
}

/** The element a JSON payload stands for; `null` becomes an element that is nil. */
function fromJson(name: string, value: unknown): Element {
  if (value === null) return element(name, undefined, { 'xsi:nil': 'true' })
  if (typeof value !== 'object') return element(name, scalar(value))
  const made = element(name)
  for (const [key, inner] of Object.entries(value)) {
    if (key === '$') made.text = scalar(inner)
    else if (key.startsWith('@')) made.attributes[key.slice(1)] = scalar(inner)
    else made.children.push(...many(key === '_default' ? '__default' : key, inner))
  }
  return made
}

function scalar(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function many(name: string, value: unknown): readonly Element[] {
  return Array.isArray(value) ? value.map((one) => fromJson(name, one)) : [fromJson(name, value)]
}

/** A payload with one root, such as `{"workspace": {…}}`. */
export function rootFromJson(text: string): Element {
  const parsed: unknown = JSON.parse(text)
  const [name, value] = Object.entries(parsed ?? {})[0] ?? []
  if (name === undefined) throw new Error('no root element')
  return fromJson(name, value)
}
