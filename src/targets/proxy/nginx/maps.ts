import { quoted } from '../../../lib/nginx/quote.ts'

/** What a source must match: a text, in any case, or a regular expression. */
export type Pattern = { readonly text: string } | { readonly regex: string }

export interface MapEntry {
  readonly when: Pattern
  /** Literals and `$variables` of our own. */
  readonly value: string
}

/**
 * `map` blocks and the names in them. nginx has one space of names for variables, captures and what a user defines, so all
 * of ours start with `flotilla_`.
 */
export class Maps {
  readonly #blocks: string[] = []
  readonly #names = new Set<string>()
  #captures = 0

  /** A name for a group of an expression: `(?<name>…)`. */
  capture(): string {
    this.#captures += 1
    return `flotilla_c${this.#captures}`
  }

  has(name: string): boolean {
    return this.#names.has(name)
  }

  /**
   * `$flotilla_<name>`, made of `source` by the first entry that fits; texts before expressions. Answers the variable. It is
   * made once in a request, unless it is `volatile`.
   */
  define(name: string, source: string, otherwise: string, entries: readonly MapEntry[], isVolatile = false): string {
    const variable = `$flotilla_${name}`
    if (this.#names.has(name)) throw new Error(`${variable} is defined twice`)
    this.#names.add(name)
    const lines = entries.map(({ when, value }) => `    ${sourceOf(when)} ${quoted(value)};`)
    const head = `map ${quoted(source)} ${variable} {`
    if (isVolatile) lines.unshift('    volatile;')
    this.#blocks.push([head, `    default ${quoted(otherwise)};`, ...lines, '}'].join('\n'))
    return variable
  }

  text(): string {
    return this.#blocks.join('\n')
  }
}

/** A text is led by a backslash: nginx has words with a meaning of their own there, `include` and `default` among them. */
function sourceOf(pattern: Pattern): string {
  if ('text' in pattern) return pattern.text === '' ? '""' : quoted(`\\${pattern.text}`)
  return quoted(`~${pattern.regex}`)
}
