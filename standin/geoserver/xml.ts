import { SaxesParser } from 'saxes'

/** An element as XStream writes them: children or text, never both. */
export interface Element {
  readonly name: string
  readonly attributes: Record<string, string>
  children: Element[]
  /** Undefined in `<a/>`, '' in `<a></a>`: files keep that difference. */
  text: string | undefined
}

const MAX_DEPTH = 100
const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\r': '&#xd;',
}

export function element(name: string, content?: string | readonly Element[], attributes = {}): Element {
  const isText = typeof content === 'string'
  return { name, attributes, children: isText ? [] : [...(content ?? [])], text: isText ? content : undefined }
}

/** @throws Error when this is no XML: empty, cut off, or with a document type. */
export function parseXml(source: string): Element {
  const parser = new SaxesParser()
  const open: Element[] = []
  let root: Element | undefined
  let text = ''
  parser.on('error', (error) => {
    throw error
  })
  parser.on('doctype', () => {
    throw new Error('DOCTYPE is disallowed')
  })
  parser.on('opentag', (tag) => {
    if (open.length > MAX_DEPTH) throw new Error('nested too deep')
    const made = element(tag.name, undefined, { ...tag.attributes })
    if (!tag.isSelfClosing) made.text = ''
    open.at(-1)?.children.push(made)
    root ??= made
    open.push(made)
    text = ''
  })
  parser.on('text', (more) => {
    text += more
  })
  parser.on('cdata', (more) => {
    text += more
  })
  parser.on('closetag', () => {
    const closed = open.pop()
    if (closed === undefined) return
    if (closed.children.length > 0) closed.text = undefined
    else if (closed.text !== undefined) closed.text = text
    text = ''
  })
  parser.write(source).close()
  if (root === undefined) throw new Error('Premature end of file.')
  return root
}

/** As XStream's PrettyPrintWriter does it, without a line break at the end. */
export function writeXml(node: Element, indent = ''): string {
  const attributes = Object.entries(node.attributes).map(([name, value]) => ` ${name}="${escapeXml(value)}"`)
  const start = `${indent}<${node.name}${attributes.join('')}`
  if (node.children.length > 0) {
    const inside = node.children.map((child) => writeXml(child, `${indent}  `))
    return `${start}>\n${inside.join('\n')}\n${indent}</${node.name}>`
  }
  return node.text === undefined ? `${start}/>` : `${start}>${escapeXml(node.text)}</${node.name}>`
}

export function escapeXml(text: string): string {
  return text.replaceAll(/[&<>"'\r]/g, (character) => ESCAPES[character] ?? character)
}

export function child(node: Element | undefined, name: string): Element | undefined {
  return node?.children.find((one) => one.name === name)
}

/** The text at the end of a path of names. */
export function textAt(node: Element | undefined, ...path: readonly string[]): string | undefined {
  let at = node
  for (const name of path) at = child(at, name)
  return at?.text
}

/** Puts a child in the place of one of the same name, or at the end. */
export function setChild(node: Element, made: Element): void {
  const at = node.children.findIndex((one) => one.name === made.name)
  if (at < 0) node.children.push(made)
  else node.children[at] = made
  node.text = undefined
}

export function setText(node: Element, name: string, text: string): void {
  setChild(node, element(name, text))
}

export function removeChild(node: Element, name: string): void {
  node.children = node.children.filter((one) => one.name !== name)
}

export function copy(node: Element): Element {
  return { ...node, attributes: { ...node.attributes }, children: node.children.map(copy) }
}
