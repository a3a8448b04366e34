import { type Argument, type Command, kebab, type Option, type Options } from './command.ts'
import { COMMANDS, type Entry, GROUPS } from './commands.ts'
import { COMMON } from './parse.ts'

const PROMISE = 'Flotilla keeps a cluster of data servers in step, and proves it.'

/** `flotilla --help`: every command with one line. */
export function overview(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length))
  const groups = GROUPS.map((group) => {
    const lines = COMMANDS.filter((entry) => entry.group === group).map((entry) => line(entry, width))
    return `${group}\n${lines.join('\n')}`
  })
  return [
    `${PROMISE}\n\nusage: flotilla COMMAND [ARGUMENTS] [OPTIONS]`,
    ...groups,
    'Every command has --help. Client commands read FLOTILLA_URL and FLOTILLA_TOKEN_FILE.\n' +
      'Servers without a hub: flotilla --nodes a,b,c COMMAND asks each.\nFirst steps: flotilla up',
  ].join('\n\n')
}

/** `flotilla token`: the commands that start with that word. */
export function groupHelp(first: string): string {
  const entries = COMMANDS.filter(({ name }) => name === first || name.startsWith(`${first} `))
  const width = Math.max(...entries.map(({ name }) => name.length))
  const lines = entries.map((entry) => line(entry, width)).join('\n')
  return `usage: flotilla ${first} COMMAND\n\n${lines}\n\nMore: flotilla ${first} COMMAND --help`
}

function line({ name, summary }: Entry, width: number): string {
  return `  ${name.padEnd(width)}  ${summary}`
}

/** `flotilla NAME --help`. */
export function commandHelp(entry: Entry, command: Command): string {
  const parts = [`flotilla ${entry.name}: ${entry.summary}`, `usage: ${synopsis(entry.name, command)}`]
  if (command.details !== undefined) parts.push(wrap(command.details, 88))
  if (command.arguments.length > 0) {
    parts.push(`arguments:\n${columns(command.arguments.map((one) => [one.name, one.summary]))}`)
  }
  parts.push(`options:\n${columns(optionRows({ ...command.options, ...COMMON }))}`)
  const below = COMMANDS.filter(({ name }) => name.startsWith(`${entry.name} `))
  if (below.length > 0) parts.push(`commands:\n${columns(below.map((one) => [one.name, one.summary]))}`)
  if (command.examples.length > 0) parts.push(`examples:\n${command.examples.map((text) => `  ${text}`).join('\n')}`)
  return parts.join('\n\n')
}

/** `flotilla datasets check DIR [OPTIONS]`, with the required options spelled out. */
export function synopsis(name: string, command: Command): string {
  const required = Object.entries<Option>(command.options)
    .filter(([, option]) => option.type === 'value' && option.required === true)
    .map(([key, option]) => longForm(key, option))
  const words = ['flotilla', name, ...command.arguments.map(argumentForm), ...required, '[OPTIONS]']
  return words.join(' ')
}

function argumentForm({ name, optional, variadic }: Argument): string {
  const text = variadic === true ? `${name}...` : name
  return optional === true || variadic === true ? `[${text}]` : text
}

/** Rows of form and summary, in the order they were written. */
export function optionRows(options: Options): [string, string][] {
  return Object.entries<Option>(options).map(([key, option]) => [optionForm(key, option), optionSummary(option)])
}

function optionForm(key: string, option: Option): string {
  if (key === 'help') return '-h, --help'
  const short = option.type === 'value' && option.short !== undefined ? `-${option.short}, ` : ''
  return `${short}${longForm(key, option)}`
}

function longForm(key: string, option: Option): string {
  return option.type === 'flag' ? `--${kebab(key)}` : `--${kebab(key)} ${option.placeholder}`
}

function optionSummary(option: Option): string {
  if (option.type === 'flag') return option.summary
  if (option.type === 'list') return `${option.summary} (repeatable)`
  const choices = option.choices === undefined ? '' : `: ${option.choices.join(', ')}`
  const fallback = option.fallback === undefined ? '' : ` (default ${option.fallback})`
  return `${option.summary}${choices}${fallback}`
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.min(30, Math.max(...rows.map(([left]) => left.length)))
  const indent = ' '.repeat(width + 4)
  return rows
    .map(([left, right]) => {
      const text = wrap(right, 92 - width).replaceAll('\n', `\n${indent}`)
      return left.length > width ? `  ${left}\n${indent}${text}` : `  ${left.padEnd(width)}  ${text}`
    })
    .join('\n')
}

function wrap(text: string, width: number): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line].join('\n')
}
