import { type At, type Expression, type Piece, TEMPLATE_LIMITS, templateError } from './model.ts'
import { Reader } from './parse-expression.ts'
import { Places, type Words, wordsOf } from './words.ts'

/** Reads a template. Throws `TEMPLATE_FAILED` with the place. */
export function parseTemplate(template: string, text: string): readonly Piece[] {
  if (text.length > TEMPLATE_LIMITS.source)
    throw templateError({ template, line: 1, column: 1 }, `is longer than ${TEMPLATE_LIMITS.source} characters`)
  return new Parser(template, text).parse()
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type If = Mutable<Omit<Extract<Piece, { kind: 'if' }>, 'branches' | 'otherwise'>> & {
  branches: { test: Expression; body: Piece[] }[]
  otherwise: Piece[]
}
type For = Mutable<Omit<Extract<Piece, { kind: 'for' }>, 'body' | 'otherwise'>> & {
  body: Piece[]
  otherwise: Piece[]
}

/** What is open, and where pieces go meanwhile. */
interface Open {
  readonly block: If | For | undefined
  into: Piece[]
  hasElse: boolean
}

class Parser {
  readonly #text: string
  readonly #places: Places
  readonly #all: Piece[] = []
  readonly #open: Open[] = [{ block: undefined, into: this.#all, hasElse: false }]

  constructor(template: string, text: string) {
    this.#text = text
    this.#places = new Places(template, text)
  }

  parse(): readonly Piece[] {
    let offset = 0
    let trims = false
    for (;;) {
      const place = this.#places.at(offset)
      const start = this.#text.indexOf('{{', offset)
      const until = start < 0 ? this.#text.length : start
      const trimsBefore = this.#text.startsWith('{{-', until)
      this.#addText(this.#text.slice(offset, until), { trims, trimsBefore, at: place })
      if (start < 0) break
      const at = this.#places.at(start)
      const found = this.#braces(start + (trimsBefore ? 3 : 2), at)
      offset = found.end
      trims = found.trims
    }
    const { block } = this.#top()
    if (block !== undefined) throw templateError(block.at, `{{ ${block.kind} … }} has no {{ end }}`)
    return this.#all
  }

  #addText(raw: string, { trims, trimsBefore, at }: { trims: boolean; trimsBefore: boolean; at: At }): void {
    const left = trims ? raw.trimStart() : raw
    const text = trimsBefore ? left.trimEnd() : left
    if (text !== '') this.#top().into.push({ kind: 'text', text, at })
  }

  #braces(start: number, at: At): Omit<Words, 'words'> {
    if (this.#text[start] === '#') {
      const end = this.#text.indexOf('}}', start)
      if (end < 0) throw templateError(at, 'a "{{#" has no "}}"')
      return { end: end + 2, trims: this.#text[end - 1] === '-' }
    }
    const { words, ...rest } = wordsOf(this.#text, start, this.#places, at)
    this.#take(new Reader(words, at), at)
    return rest
  }

  #take(reader: Reader, at: At): void {
    if (reader.take('if')) this.#begin({ kind: 'if', branches: [], otherwise: [], at }, reader)
    else if (reader.take('for')) this.#beginFor(reader, at)
    else if (reader.take('else')) this.#else(reader, at)
    else if (reader.take('end')) this.#end(at)
    else if (reader.take('include'))
      this.#top().into.push({ kind: 'include', name: reader.string('the name of a template'), at })
    else this.#top().into.push({ kind: 'value', value: reader.expression(), at })
    reader.end()
  }

  #begin(block: If, reader: Reader): void {
    const body: Piece[] = []
    block.branches.push({ test: reader.expression(), body })
    this.#push(block, body)
  }

  #beginFor(reader: Reader, at: At): void {
    const first = reader.ownName()
    const second = reader.take(',') ? reader.ownName() : undefined
    if (!reader.take('in')) throw templateError(at, 'a loop is written {{ for item in LIST }}')
    const key = second === undefined ? undefined : first
    const block: For = {
      kind: 'for',
      key,
      item: second ?? first,
      over: reader.expression(),
      body: [],
      otherwise: [],
      at,
    }
    this.#push(block, block.body)
  }

  #push(block: If | For, body: Piece[]): void {
    if (this.#open.length > TEMPLATE_LIMITS.depth) throw templateError(block.at, 'blocks stand too deep in each other')
    this.#top().into.push(block)
    this.#open.push({ block, into: body, hasElse: false })
  }

  #else(reader: Reader, at: At): void {
    const open = this.#top()
    const { block } = open
    if (block === undefined || open.hasElse) throw templateError(at, '{{ else }} without its {{ if }} or {{ for }}')
    if (block.kind === 'if' && reader.take('if')) {
      const body: Piece[] = []
      block.branches.push({ test: reader.expression(), body })
      open.into = body
      return
    }
    open.hasElse = true
    open.into = block.otherwise
  }

  #end(at: At): void {
    if (this.#open.length === 1) throw templateError(at, '{{ end }} without its {{ if }} or {{ for }}')
    this.#open.pop()
  }

  #top(): Open {
    const open = this.#open.at(-1)
    if (open === undefined) throw new Error('the whole template is always open')
    return open
  }
}
