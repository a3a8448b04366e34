import { uriEncodePath } from './target.ts'

/** Elements by name. Undefined is left out, a list is the element several times, in order. */
export type XmlContent = string | number | boolean | XmlElements | readonly XmlContent[] | undefined
export interface XmlElements {
  readonly [name: string]: XmlContent
}

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/'

/** A document of S3. Only `Error` has no namespace. */
export function xmlDocument(root: string, content: XmlElements): string {
  const namespace = root === 'Error' ? '' : ` xmlns="${NAMESPACE}"`
  return `${DECLARATION}<${root}${namespace}>${xmlOf(content)}</${root}>`
}

export function xmlOf(content: XmlElements): string {
  let text = ''
  for (const [name, value] of Object.entries(content)) text += element(name, value)
  return text
}

/**
 * Text between tags. Control characters are written as numbers, as Amazon does, although XML 1.0 has no form for
 * most of them: a client with such keys asks for `encoding-type=url`. A line break would otherwise come out as another.
 */
export function escapeXml(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what has to be escaped
  return /[&<>"\u0000-\u001f\u007f\ufffe\uffff]/.test(text) ? text.replace(SPECIAL, escapeOne) : text
}

/** A key, prefix or delimiter as it stands in a listing: `isUrl` where `encoding-type=url` was asked for. */
export function listedKey(key: string, isUrl: boolean): string {
  return isUrl ? uriEncodePath(key) : key
}

// oxlint-disable-next-line no-control-regex -- they are what has to be escaped
const SPECIAL = /[&<>"\u0000-\u001f\u007f\ufffe\uffff]/g

const NAMED: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

function escapeOne(character: string): string {
  return NAMED[character] ?? `&#x${character.charCodeAt(0).toString(16).toUpperCase()};`
}

function element(name: string, value: XmlContent): string {
  if (value === undefined) return ''
  if (isList(value)) return value.map((one) => element(name, one)).join('')
  if (typeof value === 'object') return `<${name}>${xmlOf(value)}</${name}>`
  return `<${name}>${typeof value === 'string' ? escapeXml(value) : value}</${name}>`
}

function isList(value: XmlContent): value is readonly XmlContent[] {
  return Array.isArray(value)
}
