/*
 * Where a key comes from, as HAProxy can follow it: lines of the frontend that put it into a variable, and files of
 * expressions that they read (`map_regm`: the first line that matches gives the value, groups included). All that is
 * made of settings stands in the files, where nothing is quoted and a line is a line.
 */

/** What one rule adds. */
export interface KeyPart {
  readonly lines: readonly string[]
  /** Lines of each file, by its name. */
  readonly files: ReadonlyMap<string, readonly string[]>
}

/** An expression and what its match is turned into. A blank would end it: `\x20` is one. */
export type Mapping = readonly [regex: string, value: string]

/** Not a key: found to be of no item, or below the base and not named by the path. */
export const NOTHING = '!'

/** The beginning of every expression over a path: `.` is any byte, as with the `s` of JavaScript. */
export const ANY_BYTE = '(?s)'

export class KeyPartWriter {
  readonly #lines: string[] = []
  readonly #files = new Map<string, readonly string[]>()
  readonly #folder: string

  /** `folder`: where the files are, seen from the configuration. */
  constructor(folder: string) {
    this.#folder = folder
  }

  get part(): KeyPart {
    return { lines: this.#lines, files: this.#files }
  }

  /** `variable` becomes what `expression` yields, where it yields something and every one of the conditions holds. */
  set(variable: string, expression: string, ...conditions: readonly string[]): void {
    const when = conditions.length === 0 ? '' : ` if ${conditions.join(' ')}`
    this.#lines.push(`http-request set-var(txn.${variable}) ${expression}${when}`)
  }

  /** A converter to the value of the first of `mappings` that matches. */
  map(file: string, mappings: readonly Mapping[]): string {
    this.#files.set(
      file,
      mappings.map(([regex, value]) => `${regex} ${value}`),
    )
    return `map_regm(${this.#folder}/${file})`
  }

  /** The first value of a parameter, decoded; its name in any case. */
  parameter(name: string): string {
    const map = this.map(`parameter-${name}.map`, [[`(?:^|&)(?i:${name})(?:=([^&]*))?(?:&|\\z)`, '\\1']])
    return `var(txn.query),${map},url_dec(1)`
  }
}

/** What a path below the base begins with. */
export function below(base: string): string {
  const folder = base.replace(/\/+$/, '').replaceAll(/[^A-Za-z0-9_/]/g, '\\$&')
  return `^${folder}/`
}

/** Every path that is below the base, and the base itself. */
export function atBase(base: string): string {
  return `${below(base).slice(0, -1)}(?:/|\\z)`
}

export const found = (variable: string): string => `{ var(txn.${variable}) -m found }`
export const missing = (variable: string): string => `!${found(variable)}`
export const is = (variable: string, text: string): string => `{ var(txn.${variable}) -m str ${text} }`
