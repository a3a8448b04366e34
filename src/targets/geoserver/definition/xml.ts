import { SaxesParser } from 'saxes'
import type { ProblemCode } from '../../../core/problem.ts'
import { decodeXml, textOf } from '../../../lib/decode-xml.ts'
import { placeAt } from '../../../lib/text-place.ts'

/** An element. White space between tags is not kept, nor are comments; the text of an element is, to the letter. */
export interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly Element[]
  /** Of one that has no children. */
  readonly text: string
  /** Where its start tag ends in the text it was read from, in UTF-16 units. */
  readonly at: number
}

export interface XmlDocument {
  readonly root: Element
  /** Line and column of an element, from 1. */
  readonly placeOf: (element: Element) => { readonly line: number; readonly column: number }
}

export interface XmlFault {
  readonly code: ProblemCode
  readonly message: string
  readonly hint?: string
  readonly line?: number
  readonly column?: number
}

/** Larger than any file that GeoServer writes for one object; a `users.xml` of 100,000 users is smaller, too. */
export const XML_BYTES_MAX = 32 * 1024 * 1024
/** No real definition is nested deeper than a dozen. */
const DEPTH_MAX = 64

const NO_ATTRIBUTES: Readonly<Record<string, string>> = Object.freeze({})
const NO_CHILDREN: readonly Element[] = []

/** Reads one of GeoServer's XML files. A DOCTYPE, entities beyond XML's five, and text beside elements are refused. */
export function readXml(bytes: Uint8Array): XmlDocument | XmlFault {
  if (bytes.byteLength > XML_BYTES_MAX) {
    const message = `the file has ${bytes.byteLength} bytes; at most ${XML_BYTES_MAX} are read`
    return { code: 'FILE_TOO_LARGE', message }
  }
  const decoded = decodeXml(bytes)
  if ('code' in decoded) return decoded
  const text = textOf(decoded)
  const reader = new Reader()
  try {
    reader.read(text)
  } catch (error) {
    if (error instanceof Refusal) return { ...error.fault, ...placeAt(text, error.offset) }
    throw error
  }
  const { root } = reader
  if (root === undefined) return { code: 'XML_MALFORMED', message: 'the file is empty', line: 1, column: 1 }
  return { root, placeOf: ({ at }) => placeAt(text, text.lastIndexOf('<', Math.max(0, at - 1))) }
}

class Refusal extends Error {
  readonly fault: XmlFault
  readonly offset: number

  constructor(code: ProblemCode, message: string, offset: number) {
    super(message)
    this.fault = { code, message }
    this.offset = offset
  }
}

interface Open {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  children: Element[] | undefined
  text: string
  readonly at: number
}

class Reader {
  root: Element | undefined
  readonly #open: Open[] = []
  readonly #parser = new SaxesParser({
    xmlns: false as const,
    position: false,
    forceXMLVersion: true,
    defaultXMLVersion: '1.0',
  })

  read(text: string): void {
    const parser = this.#parser
    parser.on('error', ({ message }) => this.#refuse('XML_MALFORMED', message))
    parser.on('doctype', () => this.#refuse('XML_DOCTYPE', 'a DOCTYPE is not allowed'))
    parser.on('opentag', (tag) => this.#opened(tag.name, tag.attributes))
    parser.on('closetag', () => this.#closed())
    parser.on('text', (part) => this.#said(part))
    parser.on('cdata', (part) => this.#said(part))
    // Blank, and nothing else: the error of the parser would be that there is no element.
    if (text.trim() !== '') parser.write(text).close()
  }

  #refuse(code: ProblemCode, message: string): never {
    throw new Refusal(code, message, this.#parser.position)
  }

  #opened(name: string, attributes: Record<string, string>): void {
    if (this.#open.length >= DEPTH_MAX) this.#refuse('XML_TOO_DEEP', `elements are nested deeper than ${DEPTH_MAX}`)
    this.#open.push({ name, attributes, children: undefined, text: '', at: this.#parser.position })
  }

  #closed(): void {
    const open = this.#open.pop()
    if (open === undefined) return
    if (open.children !== undefined && !isBlank(open.text)) {
      this.#refuse('XML_FORM', `text beside the elements in <${open.name}>`)
    }
    const element: Element = {
      name: open.name,
      attributes: open.attributes,
      children: open.children ?? NO_CHILDREN,
      text: open.children === undefined && !isLayout(open.text) ? open.text : '',
      at: open.at,
    }
    const parent = this.#open.at(-1)
    if (parent === undefined) this.root = element
    else if (parent.children === undefined) parent.children = [element]
    else parent.children.push(element)
  }

  #said(text: string): void {
    const open = this.#open.at(-1)
    if (open !== undefined) open.text = open.text === '' ? text : open.text + text
  }
}

function isBlank(text: string): boolean {
  return !/[^ \t\n\r]/.test(text)
}

/** An element of nothing but a line break and white space is an empty one that somebody wrote over two lines. */
function isLayout(text: string): boolean {
  return text !== '' && isBlank(text) && text.includes('\n')
}

/** The first child of that name. */
export function childOf({ children }: Element, name: string): Element | undefined {
  for (const child of children) if (child.name === name) return child
  return undefined
}

/** What the first child of that name says, without white space around it; '' where there is none. */
export function textIn(element: Element, name: string): string {
  return childOf(element, name)?.text.trim() ?? ''
}

export function made(name: string, content: string | readonly Element[], attributes = NO_ATTRIBUTES): Element {
  return typeof content === 'string'
    ? { name, attributes, children: NO_CHILDREN, text: content, at: 0 }
    : { name, attributes, children: content, text: '', at: 0 }
}

/** The element as GeoServer writes one: two blanks a level, in UTF-8 without a declaration. */
export function writeXml(element: Element): string {
  return written(element, '')
}

function written({ name, attributes, children, text }: Element, indent: string): string {
  let tag = `${indent}<${name}`
  for (const key in attributes) tag += ` ${key}="${escaped(attributes[key] ?? '', IN_ATTRIBUTE)}"`
  if (children.length === 0) return text === '' ? `${tag}/>\n` : `${tag}>${escaped(text, IN_TEXT)}</${name}>\n`
  tag += '>\n'
  const deeper = `${indent}  `
  for (const child of children) tag += written(child, deeper)
  return `${tag}${indent}</${name}>\n`
}

// A line break would come back as a blank from an attribute, and a carriage return as a line break from a text.
const IN_TEXT = /[&<>"\r]/g
const IN_ATTRIBUTE = /[&<>"\r\n\t]/g
const NAMED: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

function escaped(text: string, special: RegExp): string {
  if (text.search(special) === -1) return text
  return text.replace(special, (found) => NAMED[found] ?? `&#x${found.charCodeAt(0).toString(16)};`)
}
