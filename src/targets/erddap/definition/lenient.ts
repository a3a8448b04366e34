import { decodeReferences } from './text.ts'
import { type Element, NO_ATTRIBUTES } from './xml.ts'

/** ERDDAP would stop reading here. */
export class Unreadable extends Error {
  readonly offset: number

  constructor(message: string, offset: number) {
    super(message)
    this.offset = offset
  }
}

/** Far beyond what anybody writes, well below what a stack could not take. */
const DEPTH_MAX = 256

interface Open extends Element {
  readonly children: Element[]
  innerEnd: number
  end: number
}

/**
 * Reads XML the way ERDDAP's own reader does (source: its SimpleXMLReader), which takes more than is well-formed: a tag
 * ends at the first ">", a stray "&" is text, an attribute needs no quotes. Yields the elements that stand `depth` levels
 * deep, each with everything inside. Throws `Unreadable` where ERDDAP would stop.
 */
export function* elementsAt(text: string, depth: number): Generator<Element> {
  const open: Open[] = []
  for (let at = text.indexOf('<'); at !== -1;) {
    const next = skipHidden(text, at)
    if (next !== undefined) {
      at = text.indexOf('<', next)
      continue
    }
    const end = text.indexOf('>', at) + 1
    if (end === 0) throw new Unreadable('a tag is not closed', at)
    const closed = readTag(text, at, end, open)
    if (closed !== undefined && open.length === depth) {
      yield closed
      // A file of thousands of datasets is never held in elements as a whole.
      open.at(-1)?.children.pop()
    }
    if (closed !== undefined && open.length === 0 && depth > 0) return
    at = text.indexOf('<', end)
  }
  const unclosed = open.at(-1)
  if (unclosed !== undefined) throw new Unreadable(`<${unclosed.name}> is not closed`, unclosed.start)
}

/** Where a comment, CDATA section or instruction that begins at `at` is over. */
function skipHidden(text: string, at: number): number | undefined {
  const close = CLOSINGS.find(([opening]) => text.startsWith(opening, at))
  if (close === undefined) return undefined
  const end = text.indexOf(close[1], at + close[0].length)
  if (end === -1) throw new Unreadable(`"${close[0]}" is not closed`, at)
  return end + close[1].length
}

const CLOSINGS = [
  ['<!--', '-->'],
  ['<![CDATA[', ']]>'],
  ['<?', '?>'],
] as const

/** Answers the element if the tag closes one. */
function readTag(text: string, start: number, end: number, open: Open[]): Element | undefined {
  const tag = text.slice(start + 1, end - 1).trim()
  if (tag.startsWith('/')) return close(tag.slice(1).trim(), start, end, open)
  const closesItself = tag.endsWith('/')
  const name = /^[^\s/]+/.exec(tag)?.[0]
  if (name === undefined || name.startsWith('!')) throw new Unreadable('no tag that ERDDAP reads', start)
  if (open.length >= DEPTH_MAX) throw new Unreadable(`elements are nested deeper than ${DEPTH_MAX}`, start)
  const attributes =
    tag.length === name.length ? NO_ATTRIBUTES : attributesOf(tag.slice(name.length, closesItself ? -1 : undefined))
  const element: Open = { name, attributes, children: [], start, inner: end, innerEnd: end, end }
  open.at(-1)?.children.push(element)
  if (closesItself) return element
  open.push(element)
  return undefined
}

function close(name: string, start: number, end: number, open: Open[]): Element {
  const element = open.pop()
  if (element?.name !== name) throw new Unreadable(`</${name}> closes nothing that is open`, start)
  element.innerEnd = start
  element.end = end
  return element
}

const ATTRIBUTE = /([^\s=]+)=(?:"([^"]*)"|'([^']*)'|(\S*))/g

function attributesOf(tag: string): Readonly<Record<string, string>> {
  const attributes: Record<string, string> = Object.create(null)
  for (const [, name = '', double, single, bare] of tag.matchAll(ATTRIBUTE)) {
    attributes[name] = decodeReferences(double ?? single ?? bare ?? '').replace(/[\t\n]|\r\n?/g, ' ')
  }
  return attributes
}
