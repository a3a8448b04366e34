import { parseArgs, type ParseArgsConfig } from 'node:util'
import { FlotillaError, messageOf } from '../core/errors.ts'
import { didYouMean } from '../lib/closest.ts'
import { type Argument, type Command, type Input, kebab, type Option } from './command.ts'

/** Options that every command takes. */
export const COMMON = {
  help: { type: 'flag', summary: 'show this help' },
  debug: { type: 'flag', summary: 'with an unexpected error, show where in the program it came from' },
} as const satisfies Record<string, Option>

/**
 * Turns the words after a command's name into its input. Throws `USAGE` with what is wrong and the form to use.
 * `wantsHelp` is answered instead of an error when `--help` is among the words.
 */
export function parseInput(name: string, command: Command, words: readonly string[]): Input | 'wantsHelp' {
  if (beforeDashes(words).some((word) => word === '--help' || word === '-h')) return 'wantsHelp'
  const { values, positionals } = parseWords(name, command, words)
  return { options: optionsOf(name, command, values), args: argumentsOf(name, command.arguments, positionals) } as Input
}

type Values = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>

function parseWords(
  name: string,
  command: Command,
  words: readonly string[],
): { values: Values; positionals: string[] } {
  const all = { ...command.options, ...COMMON }
  const options: NonNullable<ParseArgsConfig['options']> = {}
  for (const [key, option] of Object.entries<Option>(all)) {
    options[kebab(key)] = {
      type: option.type === 'flag' ? 'boolean' : 'string',
      multiple: option.type === 'list',
      ...('short' in option && option.short !== undefined && { short: option.short }),
    }
  }
  try {
    const { values, positionals } = parseArgs({
      args: words.map(shielded),
      options,
      allowPositionals: true,
      strict: true,
    })
    const bare = Object.entries(values).map(([key, value]) => [
      key,
      Array.isArray(value) ? value.map(unshielded) : unshielded(value),
    ])
    return {
      values: Object.fromEntries(bare) as Values,
      positionals: positionals.map((word) => unshielded(word)),
    }
  } catch (error) {
    throw usage(name, ...explain(messageOf(error), Object.keys(options)))
  }
}

/** No option is a digit: what looks like a negative number is one, as in `set … to -5`. */
const SHIELD = '\u0000'

function shielded(word: string): string {
  return /^-\d/.test(word) ? SHIELD + word : word
}

function unshielded<T>(value: T | string): T | string {
  return typeof value === 'string' && value.startsWith(SHIELD) ? value.slice(SHIELD.length) : value
}

/** Rewords what node:util says. */
function explain(message: string, known: readonly string[]): [string, (string | undefined)?] {
  const unknown = /^Unknown option '(-[^']*)'/.exec(message)?.[1]
  if (unknown !== undefined) {
    const meant = didYouMean(unknown.replace(/^-+/, ''), known)
    return [`there is no option ${unknown}`, meant?.replace('"', '"--')]
  }
  const noValue = /^Option '(?:-\w, )?(--[\w-]+) <value>' argument missing/.exec(message)?.[1]
  if (noValue !== undefined) return [`${noValue} needs a value`]
  const ambiguous = /^Option '(?:-\w, )?(--?[\w-]+)(?: <value>)?' argument is ambiguous/.exec(message)?.[1]
  if (ambiguous !== undefined)
    return [`${ambiguous} needs a value`, `If the value starts with "-", write ${ambiguous}=VALUE.`]
  const flag = /^Option '(?:-\w, )?(--[\w-]+)' does not take an argument/.exec(message)?.[1]
  if (flag !== undefined) return [`${flag} takes no value`]
  return [message.split('\n')[0] ?? message]
}

function optionsOf(name: string, command: Command, values: Values): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  for (const [key, option] of Object.entries<Option>({ ...command.options, ...COMMON })) {
    const flag = kebab(key)
    const given = values[flag]
    if (option.type === 'flag') result[key] = given === true
    else if (option.type === 'list') result[key] = given ?? []
    else {
      const value = given ?? option.fallback
      if ((value === undefined || value === '') && option.required === true) {
        throw usage(name, `--${flag} is required`, `Add --${flag} ${option.placeholder}: ${option.summary}.`)
      }
      if (option.choices !== undefined && typeof value === 'string' && !option.choices.includes(value)) {
        throw usage(
          name,
          `--${flag} takes ${option.choices.join(', ')}, not "${value}"`,
          didYouMean(value, option.choices),
        )
      }
      if (option.form !== undefined && typeof value === 'string' && !option.form.test(value)) {
        throw usage(name, `--${flag} takes ${option.form.words}, not "${value}"`)
      }
      result[key] = value
    }
  }
  return result
}

function argumentsOf(name: string, wanted: readonly Argument[], given: readonly string[]): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  const left = [...given]
  for (const argument of wanted) {
    if (argument.variadic === true) result[argument.name] = left.splice(0)
    else if (left.length > 0) result[argument.name] = left.shift()
    else if (argument.optional !== true) throw usage(name, `${argument.name} is missing: ${argument.summary}`)
  }
  if (left.length > 0) throw usage(name, `"${left[0]}" is one argument too many`)
  return result
}

function usage(name: string, message: string, hint?: string): FlotillaError {
  const form = `flotilla ${name} --help`.replace('  ', ' ')
  return new FlotillaError('USAGE', message, { hint: hint === undefined ? `See ${form}` : `${hint} See also ${form}` })
}

function beforeDashes(words: readonly string[]): readonly string[] {
  const end = words.indexOf('--')
  return end === -1 ? words : words.slice(0, end)
}
