import { type Argument, type Completes, kebab, type Option } from '../command.ts'
import { COMMANDS } from '../commands.ts'
import { isForEach, NODES } from '../every-node.ts'
import { COMMON } from '../parse.ts'

/** What a shell needs to know of one command. */
export interface Shape {
  /** `datasets check`; empty for the program itself. */
  readonly path: string
  /** Words that may follow, each with its summary. */
  readonly words: readonly Word[]
  readonly options: readonly OptionShape[]
  readonly argument?: Completes | undefined
}

export interface Word {
  readonly word: string
  readonly summary: string
}

export interface OptionShape {
  /** With the dashes. */
  readonly name: string
  readonly short?: string
  readonly summary: string
  /** Undefined for a flag; for a value, what it takes. */
  readonly takes?: Completes | 'anything'
}

/** Every command and group, the program itself first, made from the table of commands. */
export async function shapes(): Promise<readonly Shape[]> {
  const names = COMMANDS.map(({ name }) => name)
  const groups = [...new Set(names.flatMap(groupsOf))]
  const own = await Promise.all(
    COMMANDS.map(async ({ name, load }): Promise<Shape> => {
      const command = await load()
      const all = { ...command.options, ...(isForEach(command) ? NODES : {}), ...COMMON }
      const argument = firstCompletion(command.arguments)
      return { path: name, words: below(name), options: optionShapes(all), argument }
    }),
  )
  const bare = groups.filter((group) => !names.includes(group))
  return [
    { path: '', words: topWords(), options: optionShapes(NODES) },
    ...bare.map((path) => ({ path, words: below(path), options: [] })),
    ...own,
  ]
}

/** `a b c` is in `a` and in `a b`. */
function groupsOf(name: string): string[] {
  const words = name.split(' ').slice(0, -1)
  return words.map((_, at) => words.slice(0, at + 1).join(' '))
}

function topWords(): Word[] {
  const words = new Map<string, string>()
  for (const { name, summary } of COMMANDS) {
    const [first = '', second] = name.split(' ')
    if (second === undefined || !words.has(first))
      words.set(first, second === undefined ? summary : `${first} commands`)
  }
  return [...words].map(([word, summary]) => ({ word, summary }))
}

function below(path: string): Word[] {
  return COMMANDS.filter(({ name }) => name.startsWith(`${path} `))
    .map(({ name, summary }) => ({ word: name.slice(path.length + 1), summary }))
    .filter(({ word }) => !word.includes(' '))
}

function optionShapes(options: Readonly<Record<string, Option>>): readonly OptionShape[] {
  return Object.entries(options).map(optionShape)
}

function optionShape([key, option]: [string, Option]): OptionShape {
  const base = { name: `--${kebab(key)}`, summary: option.summary }
  if (option.type === 'flag') return base
  if (option.type === 'list') return { ...base, takes: 'anything' }
  const takes = option.choices ?? option.completes ?? 'anything'
  return { ...base, takes, ...(option.short !== undefined && { short: `-${option.short}` }) }
}

function firstCompletion(args: readonly Argument[]): Completes | undefined {
  return args.find(({ completes }) => completes !== undefined)?.completes
}
