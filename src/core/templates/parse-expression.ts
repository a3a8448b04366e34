import { FUNCTIONS } from './functions.ts'
import type { Json } from '../json-patch/json.ts'
import { type At, type Expression, TEMPLATE_LIMITS, templateError } from './model.ts'
import type { Word } from './words.ts'

const LITERALS: Readonly<Record<string, Json>> = { true: true, false: false, null: null }
/** Words of the language, which can be no names. */
const RESERVED = new Set(['if', 'else', 'end', 'for', 'in', 'include', 'not', ...Object.keys(LITERALS)])

/** Reads what stands between `{{` and `}}`, word by word. */
export class Reader {
  readonly #words: readonly Word[]
  readonly #at: At
  #next = 0
  #depth = 0

  /** `at`: where the braces open. */
  constructor(words: readonly Word[], at: At) {
    this.#words = words
    this.#at = at
  }

  get isDone(): boolean {
    return this.#next >= this.#words.length
  }

  /** The next word, if it is that one. */
  take(text: string): boolean {
    const word = this.#words[this.#next]
    if (word === undefined || word.kind === 'string' || word.text !== text) return false
    this.#next += 1
    return true
  }

  /** A string, as the name of a template must be. */
  string(what: string): string {
    const word = this.#words[this.#next]
    if (word?.kind !== 'string') throw templateError(word?.at ?? this.#at, `${what} is a string, as in "setup.sh"`)
    this.#next += 1
    return word.text
  }

  /** A name without dots that the template gives itself. */
  ownName(): string {
    const word = this.#words[this.#next]
    const isName = word?.kind === 'name' && !word.text.includes('.') && !RESERVED.has(word.text)
    if (!isName || Object.hasOwn(FUNCTIONS, word.text))
      throw templateError(word?.at ?? this.#at, 'here a name is expected, as in {{ for machine in param "machines" }}')
    this.#next += 1
    return word.text
  }

  /** Nothing may be left over. */
  end(): void {
    const word = this.#words[this.#next]
    if (word !== undefined) throw templateError(word.at, `"${word.text}" is one word too many`)
  }

  /** `VALUE [== VALUE] [| FUNCTION ARGUMENT…]…` */
  expression(): Expression {
    this.#depth += 1
    if (this.#depth > TEMPLATE_LIMITS.depth) throw templateError(this.#at, 'parentheses stand too deep in each other')
    let value = this.#comparison()
    while (this.take('|')) {
      const word = this.#words[this.#next]
      if (word?.kind !== 'name' || !Object.hasOwn(FUNCTIONS, word.text))
        throw this.#unknown(word, 'behind "|" stands a function')
      this.#next += 1
      value = { kind: 'call', name: word.text, args: [value, ...this.#arguments()], at: word.at }
      checkCount(value)
    }
    this.#depth -= 1
    return value
  }

  #comparison(): Expression {
    const left = this.#value()
    const word = this.#words[this.#next]
    for (const sign of ['==', '!=']) {
      if (word === undefined || !this.take(sign)) continue
      return { kind: 'compare', isEqual: sign === '==', left, right: this.#value(), at: word.at }
    }
    return left
  }

  #value(): Expression {
    const word = this.#words[this.#next]
    if (word !== undefined && this.take('not')) {
      this.#depth += 1
      if (this.#depth > TEMPLATE_LIMITS.depth) throw templateError(word.at, '"not" stands too often')
      const value = this.#value()
      this.#depth -= 1
      return { kind: 'not', value, at: word.at }
    }
    if (word?.kind !== 'name' || !Object.hasOwn(FUNCTIONS, word.text)) return this.#argument()
    this.#next += 1
    const call = { kind: 'call', name: word.text, args: this.#arguments(), at: word.at } as const
    checkCount(call)
    return call
  }

  #arguments(): readonly Expression[] {
    const args: Expression[] = []
    for (;;) {
      const word = this.#words[this.#next]
      if (word === undefined || (word.kind === 'sign' && word.text !== '(')) return args
      args.push(this.#argument())
    }
  }

  #argument(): Expression {
    const word = this.#words[this.#next]
    if (word === undefined) throw templateError(this.#at, 'a value is missing at the end of the braces')
    const { at, text, kind } = word
    if (this.take('(')) {
      const inside = this.expression()
      if (!this.take(')')) throw templateError(at, 'a "(" has no ")"')
      return inside
    }
    this.#next += 1
    if (kind === 'string') return { kind: 'literal', value: text, at }
    if (kind === 'number') return { kind: 'literal', value: Number(text), at }
    if (kind === 'sign') throw templateError(at, `a value is expected before "${text}"`)
    if (Object.hasOwn(LITERALS, text)) return { kind: 'literal', value: LITERALS[text] ?? null, at }
    const path = text.split('.') as [string, ...string[]]
    if (RESERVED.has(path[0]) || Object.hasOwn(FUNCTIONS, text))
      throw templateError(at, `"${text}" cannot stand here`, `For a value of a function write (${text} …).`)
    return { kind: 'name', path, at }
  }

  #unknown(word: Word | undefined, what: string): Error {
    const known = Object.keys(FUNCTIONS).join(', ')
    const found = word === undefined ? '' : `, not "${word.text}"`
    return templateError(word?.at ?? this.#at, `${what}${found}`, `There are: ${known}.`)
  }
}

function checkCount({ name, args, at }: Extract<Expression, { kind: 'call' }>): void {
  const [min, max] = FUNCTIONS[name]?.takes ?? [0, 0]
  if (args.length >= min && args.length <= max) return
  const count = min === max ? String(min) : `${min} to ${max}`
  throw templateError(at, `${name} takes ${count} value${max === 1 ? '' : 's'}, and gets ${args.length}`)
}
