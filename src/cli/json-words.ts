import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { FlotillaError, messageOf } from '../core/errors.ts'
import { type Json, unfitness } from '../core/json-patch/json.ts'
import { clean } from '../lib/clean.ts'
import type { Context } from './context.ts'

/**
 * How values stand on the command line: as JSON, and a word that is none stands for itself, so that `none` need not be
 * `'"none"'`. What begins as an object, a list or a quoted text does must be JSON: half of it is a mistake, no word.
 * Nothing is ever fetched, read from a path, or guessed as YAML is: `no`, `on`, `010` and `~` are texts.
 */

const DEPTH = 24
const AS_TEXT = 'With --string it is taken as text.'
const BEGINS_AS_JSON = /^\s*[[{"]/

/** Throws `USAGE` for broken JSON, and for a number that cannot be held exactly. */
export function parseWord(text: string): Json {
  let value: Json
  try {
    value = JSON.parse(text) as Json
  } catch (cause) {
    if (!BEGINS_AS_JSON.test(text)) return text
    throw new FlotillaError('USAGE', `${text.slice(0, 60)} is no JSON`, {
      cause,
      hint: `Quote it for the shell: '{"a": 1}'. ${AS_TEXT}`,
    })
  }
  const unfit = unfitness(value, DEPTH)
  if (unfit === undefined) return value
  throw new FlotillaError('USAGE', `${text.slice(0, 60)} holds ${unfit}`, {
    hint: AS_TEXT,
  })
}

/** White space at an end, control characters, and what turns the direction of writing round. */
const AWKWARD = /^\s|\s$|[\p{Cc}\u2028-\u202e\u2066-\u2069]/u

/**
 * How a value is printed for a shell: a text as it is, without quotes, unless that would be read as something else. So
 * `parseWord(printWord(value))` is the value, and `[[ $x = none ]]` and `-r "$x"` both do what they look like.
 */
export function printWord(value: Json): string {
  if (typeof value !== 'string' || AWKWARD.test(value) || BEGINS_AS_JSON.test(value)) return shownJson(value)
  return jsonTextOf(value) === value ? JSON.stringify(value) : value
}

/** JSON for people: what a terminal would obey is escaped, which is the same JSON. */
export function shownJson(value: unknown, indent?: number): string {
  return clean(JSON.stringify(value, undefined, indent))
}

/** Options that say what a value is where it is no JSON on the command line. */
export const VALUE_OPTIONS = {
  string: { type: 'flag', summary: 'the value, and that of -r, is text as it stands, also where it looks like JSON' },
  file: { type: 'value', placeholder: 'FILE', summary: 'read the value from a file', completes: 'file' },
  stdin: { type: 'flag', summary: 'read the value from the standard input' },
} as const

export const REF_OPTION = {
  ref: {
    type: 'value',
    placeholder: 'REF',
    short: 'r',
    summary: 'change it only where it is this, as it was seen before; otherwise exit with 5',
  },
} as const

interface ValueOptions {
  /** Undefined where the command has no such option. */
  readonly string: boolean | undefined
  readonly file: string | undefined
  readonly stdin: boolean
}

/** The value from the one place where it stands. Throws `USAGE` for none, and for several. */
export async function valueFrom(word: string | undefined, options: ValueOptions, context: Context): Promise<Json> {
  const { file, stdin } = options
  const places = [word !== undefined, file !== undefined, stdin].filter(Boolean).length
  if (places !== 1) {
    throw new FlotillaError('USAGE', places === 0 ? 'there is no value' : 'there are several values', {
      hint: 'Write it as JSON or as a word, or use one of --file and --stdin.',
    })
  }
  if (word !== undefined) return asValue(word, options.string ?? false)
  const text = file === undefined ? await context.readInput() : await readFile(resolve(context.cwd, file), 'utf8')
  return options.string === true
    ? text
    : parseWhole(text, 'what was read', options.string === undefined ? undefined : AS_TEXT)
}

export function asValue(text: string, isString: boolean): Json {
  return isString ? text : parseWord(text)
}

/** What a file, the standard input or a command gives is JSON and nothing else. Throws `USAGE`. */
export function parseWhole(text: string, what: string, hint?: string): Json {
  try {
    JSON.parse(text)
  } catch (cause) {
    throw new FlotillaError('USAGE', `${what} is no JSON: ${messageOf(cause)}`, { cause, hint })
  }
  return parseWord(text)
}

/** The text of a JSON value, exactly as it stands; what is no JSON is a text, also where it begins like one. */
export function jsonTextOf(word: string): string {
  try {
    JSON.parse(word)
    return word
  } catch {
    return JSON.stringify(word)
  }
}
