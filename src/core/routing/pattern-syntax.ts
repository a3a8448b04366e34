/*
 * The regular expressions that a user's rule may be: those that mean the same in JavaScript, PCRE and POSIX engines, as a tree.
 * No lazy or possessive repetition, look-around, back reference or flag; repetition of single characters only.
 */

/** Bit n is the character, or byte, with code n. */
export type CharSet = bigint

export type Part =
  | { readonly is: 'chars'; readonly set: CharSet; readonly min: number; readonly max: number }
  | {
      readonly is: 'group'
      readonly captures: boolean
      readonly optional: boolean
      readonly options: readonly Sequence[]
    }

export type Sequence = readonly Part[]

/** What is wrong with a pattern, in words. */
export class PatternFault extends Error {}

const DEPTH_MAX = 10
const ALL: CharSet = (1n << 256n) - 1n
const DIGITS = range(48, 57)
const WORDS = DIGITS | range(65, 90) | range(97, 122) | one(95)
const PUNCTUATION = /^[!-/:-@[-`{-~]$/

/** Between `^` and, where there is one, `$`. Throws `PatternFault`. */
export function parsePattern(text: string): Sequence {
  const fault = /[^!#-&(-~]/.exec(text)
  if (fault !== null) throw new PatternFault('it holds a space, a quote or a character that is not ASCII')
  if (!text.startsWith('^')) throw new PatternFault('it must start with ^')
  const reader = new Reader(text.slice(1).replace(/(?<!\\)\$$/, ''))
  const options = reader.options(0)
  if (!reader.done) throw new PatternFault('a ) has no (')
  if (options.length > 1) throw new PatternFault('a | must stand inside of (?:…)')
  return options[0] ?? []
}

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  get done(): boolean {
    return this.#at >= this.#text.length
  }

  options(depth: number): readonly Sequence[] {
    if (depth > DEPTH_MAX) throw new PatternFault('its groups are nested too deep')
    const options: Part[][] = [[]]
    while (!this.done && this.#peek() !== ')') {
      if (this.#take('|')) options.push([])
      else options.at(-1)?.push(this.#part(depth))
    }
    return options
  }

  #part(depth: number): Part {
    if (!this.#take('(')) return { is: 'chars', set: this.#chars(), ...this.#repetition() }
    const captures = !this.#take('?:')
    if (this.#peek() === '?') throw new PatternFault('a group starts with (?, and is not (?:…)')
    const options = this.options(depth + 1)
    if (!this.#take(')')) throw new PatternFault('a ( has no )')
    const { min, max } = this.#repetition()
    if (max > 1 || min > 1) throw new PatternFault('a group is repeated; only single characters can be')
    return { is: 'group', captures, optional: min === 0, options }
  }

  #repetition(): { readonly min: number; readonly max: number } {
    const [whole = '', sign, least, comma, most] = /^(?:([*+?])|\{(\d{1,3})(,?)(\d{0,3})\})/.exec(this.#rest()) ?? []
    this.#at += whole.length
    if (/^[*+?{]/.test(this.#rest())) throw new PatternFault('a repetition is lazy, possessive, repeated or malformed')
    if (whole === '') return { min: 1, max: 1 }
    if (sign !== undefined) return { min: sign === '+' ? 1 : 0, max: sign === '?' ? 1 : Number.POSITIVE_INFINITY }
    const min = Number(least)
    const max = comma === '' ? min : most === '' ? Number.POSITIVE_INFINITY : Number(most)
    if (max < min || max === 0) throw new PatternFault(`${whole} repeats nothing`)
    return { min, max }
  }

  #chars(): CharSet {
    const char = this.#next()
    if (char === '.') return ALL & ~one(10)
    if (char === '[') return this.#class()
    if (char === '\\') return this.#escape()
    if ('^$*+?{}]'.includes(char)) throw new PatternFault(`${char} stands alone; write \\${char} for the character`)
    return one(char.charCodeAt(0))
  }

  #class(): CharSet {
    const negated = this.#take('^')
    let set = 0n
    for (let first = true; first || this.#peek() !== ']'; first = false) {
      if (this.done) throw new PatternFault('a [ has no ]')
      set |= this.#member()
    }
    this.#at += 1
    return negated ? ALL & ~set & ~one(10) : set
  }

  #member(): CharSet {
    const char = this.#next()
    if (char === '[' || char === ']') throw new PatternFault(`${char} stands in [ ]; write \\${char}`)
    if (char === '\\') return this.#escape()
    const to = /^-([^\]\\[])/.exec(this.#rest())?.[1]
    if (to === undefined) return one(char.charCodeAt(0))
    this.#at += 2
    if (to < char) throw new PatternFault(`${char}-${to} is no range`)
    return range(char.charCodeAt(0), to.charCodeAt(0))
  }

  #escape(): CharSet {
    const char = this.#next()
    if (char === 'd') return DIGITS
    if (char === 'w') return WORDS
    if (PUNCTUATION.test(char)) return one(char.charCodeAt(0))
    throw new PatternFault(`\\${char} is not known; \\d, \\w and escaped punctuation are`)
  }

  #rest(): string {
    return this.#text.slice(this.#at)
  }

  #peek(): string {
    return this.#text.charAt(this.#at)
  }

  #next(): string {
    if (this.done) throw new PatternFault('it ends too early')
    this.#at += 1
    return this.#text.charAt(this.#at - 1)
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false
    this.#at += text.length
    return true
  }
}

function one(code: number): CharSet {
  return 1n << BigInt(code)
}

function range(from: number, to: number): CharSet {
  return (1n << BigInt(to + 1)) - (1n << BigInt(from))
}
