import { type At, templateError } from './model.ts'

/** One word of an expression. `text` of a string is what it stands for, without its quotes. */
export interface Word {
  readonly kind: 'name' | 'string' | 'number' | 'sign'
  readonly text: string
  readonly at: At
}

const SPACE = /[ \t\r\n]+/y
const NAME = /[A-Za-z_](?:[\w-]*\w)?(?:\.[A-Za-z_](?:[\w-]*\w)?)*/y
const NUMBER = /-?\d+(?:\.\d+)?/y
const STRING = /"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y
const SIGN = /==|!=|[|(),]/y
/** `-}}` takes the white space behind it away. */
const END = /-?\}\}/y

export interface Words {
  readonly words: readonly Word[]
  /** Where the text goes on. */
  readonly end: number
  readonly trims: boolean
}

/** Counts lines once, however many places are asked for, which must not go backwards. */
export class Places {
  readonly #template: string
  readonly #text: string
  #offset = 0
  #line = 1
  #lineStart = 0

  constructor(template: string, text: string) {
    this.#template = template
    this.#text = text
  }

  at(offset: number): At {
    for (let next = this.#text.indexOf('\n', this.#offset); next >= 0 && next < offset;) {
      this.#line += 1
      this.#lineStart = next + 1
      this.#offset = next + 1
      next = this.#text.indexOf('\n', this.#offset)
    }
    return { template: this.#template, line: this.#line, column: offset - this.#lineStart + 1 }
  }
}

/** The words from `start` to the `}}` that ends them. `opened` is where the `{{` stands. */
export function wordsOf(text: string, start: number, places: Places, opened: At): Words {
  const words: Word[] = []
  let offset = start
  const match = (form: RegExp): string | undefined => {
    form.lastIndex = offset
    const [found] = form.exec(text) ?? []
    if (found !== undefined) offset += found.length
    return found
  }
  for (;;) {
    match(SPACE)
    const at = places.at(offset)
    const end = match(END)
    if (end !== undefined) return { words, end: offset, trims: end.startsWith('-') }
    if (offset >= text.length) throw templateError(opened, 'a "{{" has no "}}"')
    words.push(wordOf(match, at, text[offset] ?? ''))
  }
}

function wordOf(match: (form: RegExp) => string | undefined, at: At, first: string): Word {
  const name = match(NAME)
  if (name !== undefined) return { kind: 'name', text: name, at }
  const number = match(NUMBER)
  if (number !== undefined) return { kind: 'number', text: number, at }
  const string = match(STRING)
  if (string !== undefined) return { kind: 'string', text: unquoted(string, at), at }
  const sign = match(SIGN)
  if (sign !== undefined) return { kind: 'sign', text: sign, at }
  const what = first === '"' || first === "'" ? 'a string does not end on its line' : `"${first}" means nothing here`
  throw templateError(at, what, 'Text that holds "{{" itself is written {{ "{{" | raw }}.')
}

function unquoted(string: string, at: At): string {
  if (string.startsWith("'")) return string.slice(1, -1)
  try {
    return JSON.parse(string) as string
  } catch {
    throw templateError(at, `${string} is no string`, 'Escapes are those of JSON: \\" \\\\ \\n \\t \\u0041.')
  }
}
