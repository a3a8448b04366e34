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
    const end = endOf(text, at)
    const kind = text.charCodeAt(at + 1)
    const closed =
      kind === SLASH ? close(text, at, end, open) : isHidden(kind) ? undefined : openTag(text, at, end, open)
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

const SLASH = 47
const EXCLAMATION = 33
const QUESTION = 63

function isHidden(kind: number): boolean {
  return kind === EXCLAMATION || kind === QUESTION
}

/** Where the tag, comment, CDATA section or instruction that begins at `at` is over. */
function endOf(text: string, at: number): number {
  const [opening, closing] = isHidden(text.charCodeAt(at + 1)) ? hiddenAt(text, at) : TAG
  const end = text.indexOf(closing, at + opening.length)
  if (end === -1) throw new Unreadable(`"${opening}" is not closed`, at)
  return end + closing.length
}

const TAG = ['<', '>'] as const
const HIDDEN = [
  ['<!--', '-->'],
  ['<![CDATA[', ']]>'],
  ['<?', '?>'],
] as const

function hiddenAt(text: string, at: number): readonly [string, string] {
  const found = HIDDEN.find(([opening]) => text.startsWith(opening, at))
  if (found === undefined) throw new Unreadable('no tag that ERDDAP reads', at)
  return found
}

/** Answers the element if the tag closes itself. */
function openTag(text: string, start: number, end: number, open: Open[]): Element | undefined {
  const tag = text.slice(start + 1, end - 1).trim()
  const closesItself = tag.endsWith('/')
  const length = tag.search(/[\s/]/)
  const name = length === -1 ? tag : tag.slice(0, length)
  if (name === '') throw new Unreadable('no tag that ERDDAP reads', start)
  if (open.length >= DEPTH_MAX) throw new Unreadable(`elements are nested deeper than ${DEPTH_MAX}`, start)
  const bare = tag.length === name.length
  const attributes = bare ? NO_ATTRIBUTES : attributesOf(tag.slice(name.length, closesItself ? -1 : undefined), start)
  const element: Open = { name, attributes, children: [], start, inner: end, innerEnd: end, end }
  open.at(-1)?.children.push(element)
  if (closesItself) return element
  open.push(element)
  return undefined
}

function close(text: string, start: number, end: number, open: Open[]): Element {
  const element = open.pop()
  const name = text.slice(start + 2, end - 1).trimEnd()
  if (element?.name !== name) throw new Unreadable(`</${name}> closes nothing that is open`, start)
  element.innerEnd = start
  element.end = end
  return element
}

/** What stands behind the name of a tag. An unquoted value goes up to the next blank. */
function attributesOf(tag: string, start: number): Readonly<Record<string, string>> {
  const attributes: Record<string, string> = Object.create(null)
  for (let rest = tag.trimStart(); rest !== '';) {
    const equals = rest.indexOf('=')
    if (equals <= 0) throw new Unreadable('an attribute without a value', start)
    const quote = rest.charAt(equals + 1)
    const isQuoted = quote === '"' || quote === "'"
    const from = isQuoted ? equals + 2 : equals + 1
    const end = rest.indexOf(isQuoted ? quote : ' ', from)
    if (isQuoted && end === -1) throw new Unreadable('an attribute value is not closed', start)
    const value = asOneLine(rest.slice(from, end === -1 ? undefined : end))
    attributes[rest.slice(0, equals)] = value.includes('&') ? decodeReferences(value) : value
    rest = end === -1 ? '' : rest.slice(end + 1).trimStart()
  }
  return attributes
}

/** As every reader of XML does, and ERDDAP does not, whose attributes never hold more than a line. */
function asOneLine(value: string): string {
  return /[\t\n\r]/.test(value) ? value.replace(/\r\n|[\t\n\r]/g, ' ') : value
}
