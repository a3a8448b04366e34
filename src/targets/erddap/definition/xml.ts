import { SaxesParser } from 'saxes'
import { NAMED_ENTITIES } from './entities.ts'

/** An element with its place in the text. Offsets count UTF-16 units. */
export interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly Element[]
  /** Of its `<`. */
  readonly start: number
  /** Behind its start tag. */
  readonly inner: number
  /** Of the `<` of its end tag; the same as `inner` if it closes itself. */
  readonly innerEnd: number
  /** Behind its end tag. */
  readonly end: number
}

/** Why a text is no XML that we take. */
export interface Fault {
  readonly code: 'XML_MALFORMED' | 'XML_DOCTYPE' | 'XML_TOO_DEEP'
  readonly message: string
  readonly offset: number
}

/** Well-formed XML that ERDDAP's own reader misreads. */
export interface Oddity {
  readonly code: 'ATTRIBUTE_GT' | 'XML_FORM'
  readonly message: string
  readonly hint: string
  readonly offset: number
}

export type Parsed =
  | { readonly roots: readonly Element[]; readonly oddities: readonly Oddity[]; readonly fault?: undefined }
  | { readonly fault: Fault }

/** Each of them refuses the file: more say nothing new. */
const ODDITIES_MAX = 100
/** No real definition is nested deeper than a handful. */
const DEPTH_MAX = 64

/** Reads well-formed XML 1.0 with any number of root elements, without a declaration. Entities are those of HTML 4. */
export function parseXml(text: string): Parsed {
  const reader = new Reader(text)
  try {
    reader.read()
  } catch (error) {
    if (error instanceof Refusal) return { fault: error.fault }
    throw error
  }
  return { roots: reader.roots, oddities: reader.oddities }
}

class Refusal extends Error {
  readonly fault: Fault

  constructor(fault: Fault) {
    super(fault.message)
    this.fault = fault
  }
}

// Without a prototype: `&constructor;` is no entity.
const ENTITIES: Record<string, string> = Object.assign(
  Object.create(null),
  Object.fromEntries([...NAMED_ENTITIES].map(([name, code]) => [name, String.fromCharCode(code)])),
)

const NO_CHILDREN: Element[] = []
/** Of every element that has none. */
export const NO_ATTRIBUTES: Readonly<Record<string, string>> = Object.freeze(Object.create(null))

/**
 * An element of which the end may not have been read yet. A class, and `Array.of`, because V8 counts how many of the
 * objects that a literal made are still in use (its "allocation site pretenuring"). If it first counts in the middle of a
 * file, that is all of them, and from then on it makes every such object where garbage is seldom collected: the elements
 * of files read long ago then take 70 MB more. Whether it happens depends on the moment of one collection.
 */
class Open implements Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  children = NO_CHILDREN
  readonly start: number
  readonly inner: number
  innerEnd: number
  end: number

  constructor(name: string, attributes: Readonly<Record<string, string>>, start: number, inner: number) {
    this.name = name
    this.attributes = attributes
    this.start = start
    this.inner = inner
    this.innerEnd = inner
    this.end = inner
  }

  add(child: Element): void {
    if (this.children === NO_CHILDREN) this.children = Array.of(child)
    else this.children.push(child)
  }
}

class Reader {
  readonly roots: Element[] = []
  readonly oddities: Oddity[] = []
  readonly #text: string
  /** Whether white space stands beside any "=" at all, be it in a tag or in a text. */
  readonly #spaced: boolean
  readonly #open: Open[] = []
  readonly #parser = new SaxesParser({
    xmlns: false as const,
    fragment: true,
    position: false,
    forceXMLVersion: true,
    defaultXMLVersion: '1.0',
  })

  constructor(text: string) {
    this.#text = text
    this.#spaced = hasSpacedEquals(text)
  }

  read(): void {
    const parser = this.#parser
    parser.ENTITIES = ENTITIES
    parser.on('error', (error) => this.#refuse(error.message))
    parser.on('doctype', () => this.#refuse('doctype'))
    parser.on('opentag', (tag) => this.#opened(tag.name, tag.attributes, tag.isSelfClosing))
    parser.on('closetag', (tag) => this.#closed(tag.isSelfClosing))
    parser.on('comment', (comment) => this.#section('comment', comment, '<!--'))
    parser.on('cdata', (cdata) => this.#section('CDATA section', cdata, '<![CDATA['))
    parser.on('processinginstruction', ({ target }) => this.#instruction(target))
    parser.write(this.#text).close()
  }

  #refuse(message: string): never {
    const offset = this.#parser.position
    if (!message.includes('doctype')) throw new Refusal({ code: 'XML_MALFORMED', message, offset })
    const start = Math.max(0, this.#text.lastIndexOf('<!DOCTYPE', offset))
    throw new Refusal({ code: 'XML_DOCTYPE', message: 'a DOCTYPE is not allowed', offset: start })
  }

  #opened(name: string, attributes: Record<string, string>, closesItself: boolean): void {
    const inner = this.#parser.position
    const start = this.#text.lastIndexOf('<', inner - 1)
    const parent = this.#open[this.#open.length - 1]
    if (this.#open.length >= DEPTH_MAX) {
      const message = `elements are nested deeper than ${DEPTH_MAX}`
      throw new Refusal({ code: 'XML_TOO_DEEP', message, offset: start })
    }
    // Most tags have none, and are then just this long.
    const bare = inner - start === name.length + (closesItself ? 3 : 2)
    const element = new Open(name, bare ? NO_ATTRIBUTES : attributes, start, inner)
    if (parent === undefined) this.roots.push(element)
    else parent.add(element)
    this.#open.push(element)
    if (!bare) this.#checkForm(element)
  }

  #closed(closesItself: boolean): void {
    const element = this.#open.pop()
    if (element === undefined || closesItself) return
    element.end = this.#parser.position
    element.innerEnd = this.#text.lastIndexOf('<', element.end - 1)
  }

  /** ERDDAP ends a tag at the first ">", and knows an attribute only as `name="value"` without white space in between. */
  #checkForm({ name, start, inner }: Element): void {
    const gt = this.#text.indexOf('>', start)
    if (gt !== inner - 1) {
      const hint = 'Write &gt; instead: ERDDAP ends the tag at the first ">".'
      this.#odd('ATTRIBUTE_GT', `a raw ">" in an attribute of <${name}>`, hint, gt)
    }
    if (!this.#spaced) return
    const tag = this.#text.slice(start, inner).replace(/"[^"]*"|'[^']*'/g, (value) => '"'.repeat(value.length))
    const space = /\s+=|=\s/.exec(tag)
    if (space === null) return
    const message = `white space around "=" in an attribute of <${name}>`
    const hint = 'Write name="value": ERDDAP does not recognise the attribute otherwise.'
    this.#odd('XML_FORM', message, hint, start + space.index)
  }

  /** ERDDAP takes a comment or CDATA section for a tag if a ">" follows within two characters of its opening. */
  #section(kind: string, content: string, opening: string): void {
    const gt = content.indexOf('>')
    if (gt !== 0 && gt !== 1) return
    const offset = this.#text.lastIndexOf(opening, this.#parser.position)
    const hint = 'Put a space or two before it: ERDDAP ends it there.'
    this.#odd('XML_FORM', `a ">" right after the opening of a ${kind}`, hint, offset)
  }

  #instruction(target: string): void {
    const offset = Math.max(0, this.#text.lastIndexOf('<?', this.#parser.position))
    const hint = 'Remove it: ERDDAP takes it for an unknown tag.'
    this.#odd('XML_FORM', `the processing instruction <?${target}`, hint, offset)
  }

  #odd(code: Oddity['code'], message: string, hint: string, offset: number): void {
    if (this.oddities.length < ODDITIES_MAX) this.oddities.push({ code, message, hint, offset })
  }
}

function hasSpacedEquals(text: string): boolean {
  for (let at = text.indexOf('='); at !== -1; at = text.indexOf('=', at + 1)) {
    // Every white space of XML, and much else that does not matter here.
    if (text.charCodeAt(at - 1) <= 32 || text.charCodeAt(at + 1) <= 32) return true
  }
  return false
}
