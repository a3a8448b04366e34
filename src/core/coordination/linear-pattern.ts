import { FlotillaError } from '../errors.ts'

/*
 * Regular expressions that anybody may send to a hub: matched in time proportional to text and pattern, whatever both are.
 * Literals, `.`, classes, `\d \w \s`, groups, `|`, `* + ? {m,n}`, `^` and `$`. No back references, look-around, flags.
 */

type Test = (code: number) => boolean

type Node =
  | { readonly is: 'test'; readonly test: Test }
  | { readonly is: 'start' | 'end' | 'nothing' }
  | { readonly is: 'both'; readonly parts: readonly Node[] }
  | { readonly is: 'either'; readonly options: readonly Node[] }
  | { readonly is: 'repeat'; readonly node: Node; readonly min: number; readonly max: number }

/** One step of the machine: `next` and `or` are the numbers of those that may follow. */
interface Step {
  readonly is: 'test' | 'start' | 'end' | 'fork' | 'done'
  readonly test?: Test
  next: number
  or: number
}

export interface LinearPattern {
  readonly source: string
  readonly steps: readonly Step[]
}

const SOURCE_MAX = 256
const STEPS_MAX = 256
const REPEAT_MAX = 100
const DEPTH_MAX = 20

/** Throws `BAD_REQUEST`. */
export function parseLinearPattern(source: string): LinearPattern {
  if (source.length > SOURCE_MAX) throw fault(`it has more than ${SOURCE_MAX} characters`)
  const reader = new Reader(source)
  const node = reader.either(0)
  if (!reader.isDone) throw fault('a ) has no (')
  const builder = new Builder()
  const done = builder.add({ is: 'done', next: 0, or: 0 })
  const first = builder.build(node, done)
  return { source, steps: builder.from(first) }
}

/** Whether the pattern matches somewhere in the text. */
export function matchesIn({ steps }: LinearPattern, text: string): boolean {
  const run: Run = { steps, length: text.length, entered: new Int32Array(steps.length).fill(-1), left: [] }
  let states: number[] = []
  let next: number[] = []
  for (let at = 0; ; at++) {
    if (enter(run, 0, at, states)) return true
    if (at === text.length) return false
    const code = text.charCodeAt(at)
    for (const state of states) {
      const step = steps[state]
      if (step?.test?.(code) === true && enter(run, step.next, at + 1, next)) return true
    }
    const done = states
    states = next
    next = done
    next.length = 0
  }
}

interface Run {
  readonly steps: readonly Step[]
  readonly length: number
  /** Where in the text each step was entered last. */
  readonly entered: Int32Array
  readonly left: number[]
}

/** Adds the tests that are reached from `start` without a character; answers whether the end of the pattern is. */
function enter({ steps, length, entered, left }: Run, start: number, at: number, states: number[]): boolean {
  left.push(start)
  for (let state = left.pop(); state !== undefined; state = left.pop()) {
    const step = steps[state]
    if (step === undefined || entered[state] === at) continue
    entered[state] = at
    if (step.is === 'done') return true
    if (step.is === 'test') states.push(state)
    if (step.is === 'test' || (step.is === 'start' && at !== 0) || (step.is === 'end' && at !== length)) continue
    left.push(step.next)
    if (step.is === 'fork') left.push(step.or)
  }
  return false
}

class Builder {
  readonly #steps: Step[] = []

  add(step: Step): number {
    if (this.#steps.length >= STEPS_MAX) throw fault('it is too large when its repetitions are written out')
    return this.#steps.push(step) - 1
  }

  /** The step to begin with, for what leads to `next`. */
  build(node: Node, next: number): number {
    if (node.is === 'nothing') return next
    if (node.is === 'test') return this.add({ is: 'test', test: node.test, next, or: next })
    if (node.is === 'both') return node.parts.reduceRight((after, part) => this.build(part, after), next)
    if (node.is === 'either') {
      return node.options
        .map((option) => this.build(option, next))
        .reduceRight((or, one) => this.add({ is: 'fork', next: one, or }))
    }
    return node.is === 'repeat' ? this.#repeat(node, next) : this.add({ is: node.is, next, or: next })
  }

  /** With the first step at 0, where a match begins. */
  from(first: number): readonly Step[] {
    const shifted = this.#steps.map((step): Step => ({ ...step, next: step.next + 1, or: step.or + 1 }))
    return [{ is: 'fork', next: first + 1, or: first + 1 }, ...shifted]
  }

  #repeat({ node, min, max }: Extract<Node, { is: 'repeat' }>, next: number): number {
    let start = next
    if (max === Number.POSITIVE_INFINITY) {
      const loop: Step = { is: 'fork', next, or: next }
      start = this.add(loop)
      loop.next = this.build(node, start)
    } else {
      for (let count = min; count < max; count++) {
        start = this.add({ is: 'fork', next: this.build(node, start), or: next })
      }
    }
    for (let count = 0; count < min; count++) start = this.build(node, start)
    return start
  }
}

const DIGIT: Test = (code) => code >= 48 && code <= 57
const WORD: Test = (code) => DIGIT(code) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95
const SPACE: Test = (code) => code === 32 || (code >= 9 && code <= 13)
const ANY: Test = (code) => code !== 10
const CLASSES: Readonly<Record<string, Test>> = { d: DIGIT, w: WORD, s: SPACE }
const CONTROLS: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9 }

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  get isDone(): boolean {
    return this.#at >= this.#text.length
  }

  either(depth: number): Node {
    if (depth > DEPTH_MAX) throw fault('its groups are nested too deep')
    const options: Node[] = []
    do options.push(this.#sequence(depth))
    while (this.#take('|'))
    return options.length === 1 && options[0] !== undefined ? options[0] : { is: 'either', options }
  }

  #sequence(depth: number): Node {
    const parts: Node[] = []
    while (!this.isDone && !'|)'.includes(this.#peek())) parts.push(this.#repeated(depth))
    return parts.length === 0 ? { is: 'nothing' } : { is: 'both', parts }
  }

  #repeated(depth: number): Node {
    const node = this.#one(depth)
    const [whole = '', sign, least, comma, most] =
      /^(?:([*+?])|\{(\d{1,3})(,?)(\d{0,3})\})/.exec(this.#text.slice(this.#at)) ?? []
    if (whole === '') return node
    this.#at += whole.length
    if ('*+?{'.includes(this.#peek() || ' ')) throw fault('a repetition is repeated or lazy')
    if (sign !== undefined) return repeat(node, sign === '+' ? 1 : 0, sign === '?' ? 1 : Number.POSITIVE_INFINITY)
    const min = Number(least)
    const max = comma === '' ? min : most === '' ? Number.POSITIVE_INFINITY : Number(most)
    if (min > max || min > REPEAT_MAX || (max !== Number.POSITIVE_INFINITY && max > REPEAT_MAX)) {
      throw fault(`a repetition is out of order, or of more than ${REPEAT_MAX}`)
    }
    return repeat(node, min, max)
  }

  #one(depth: number): Node {
    const char = this.#next()
    switch (char) {
      case '(':
        return this.#group(depth)
      case '[':
        return { is: 'test', test: this.#class() }
      case '.':
        return { is: 'test', test: ANY }
      case '^':
        return { is: 'start' }
      case '$':
        return { is: 'end' }
      case '\\':
        return { is: 'test', test: this.#escaped() }
      case '*':
      case '+':
      case '?':
        throw fault(`there is nothing before ${char} to repeat`)
      default:
        return { is: 'test', test: exactly(char.charCodeAt(0)) }
    }
  }

  #group(depth: number): Node {
    if (this.#take('?') && !this.#take(':')) throw fault('a group starts with (?, and is not (?:…)')
    const node = this.either(depth + 1)
    if (!this.#take(')')) throw fault('a ( has no )')
    return node
  }

  #escaped(): Test {
    const char = this.#next()
    const known = CLASSES[char.toLowerCase()]
    if (known !== undefined) return char === char.toLowerCase() ? known : (code) => !known(code)
    const control = CONTROLS[char]
    if (control === undefined && WORD(char.charCodeAt(0))) throw fault(`it does not know \\${char}`)
    return exactly(control ?? char.charCodeAt(0))
  }

  #class(): Test {
    const isNot = this.#take('^')
    const tests: Test[] = []
    for (let first = true; first || this.#peek() !== ']'; first = false) {
      if (this.isDone) throw fault('a [ has no ]')
      tests.push(this.#range())
    }
    this.#at++
    return (code) => tests.some((test) => test(code)) !== isNot
  }

  #range(): Test {
    const char = this.#next()
    if (char === '\\' && CLASSES[this.#peek().toLowerCase()] !== undefined) return this.#escaped()
    const from = char === '\\' ? this.#code() : char.charCodeAt(0)
    if (this.#peek() !== '-' || this.#text[this.#at + 1] === ']') return exactly(from)
    this.#at++
    const last = this.#next()
    const to = last === '\\' ? this.#code() : last.charCodeAt(0)
    if (from > to) throw fault('a range in […] is out of order')
    return (code) => code >= from && code <= to
  }

  #code(): number {
    const char = this.#next()
    return CONTROLS[char] ?? char.charCodeAt(0)
  }

  #peek(): string {
    return this.#text[this.#at] ?? ''
  }

  #next(): string {
    const char = this.#text[this.#at]
    if (char === undefined) throw fault('it ends too early')
    this.#at++
    return char
  }

  #take(char: string): boolean {
    if (this.#peek() !== char) return false
    this.#at++
    return true
  }
}

function repeat(node: Node, min: number, max: number): Node {
  return { is: 'repeat', node, min, max }
}

function exactly(wanted: number): Test {
  return (code) => code === wanted
}

function fault(what: string): FlotillaError {
  return new FlotillaError('BAD_REQUEST', `the pattern cannot be used: ${what}`, {
    hint: 'It may have literals, classes, groups, |, *, +, ?, {m,n}, ^ and $.',
  })
}
