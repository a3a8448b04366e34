import { type ExitCode, FlotillaError } from '../core/errors.ts'
import { didYouMean } from '../lib/closest.ts'
import { COMMANDS, type Entry } from './commands.ts'
import type { Context } from './context.ts'
import { renderError } from './errors.ts'
import { runOnNodes, splitNodes } from './every-node.ts'
import { commandHelp, groupHelp, overview } from './help.ts'
import { parseInput } from './parse.ts'

const INTERRUPTED = 130

/** Runs one command line, without the program's own name. Answers the exit code; never throws. */
export async function main(argv: readonly string[], context: Context): Promise<number> {
  try {
    return await run(argv, context)
  } catch (error) {
    if (context.signal.aborted && !(error instanceof FlotillaError)) return INTERRUPTED
    return renderError(error, context.output, { json: argv.includes('--json'), debug: argv.includes('--debug') })
  }
}

async function run(argv: readonly string[], context: Context): Promise<number> {
  const several = splitNodes(argv)
  if (several !== undefined) return runOnNodes(several, await find(several.rest)?.entry.load(), main, context)
  const [first, ...rest] = argv
  const [reference, ...after] = rest
  // Scripts that come from drpcli have the reference before the command.
  if (first === '-r' && reference !== undefined && after.length > 0)
    return run(withReference(reference, after), context)
  if (first === undefined || first === '--help' || first === '-h' || (first === 'help' && rest.length === 0)) {
    context.output.print(overview())
    return 0
  }
  if (first === '--version' || first === '-V') return run(['version', ...rest], context)
  if (first === 'help') return run([...rest, '--help'], context)
  const found = find(argv)
  if (found === undefined) return groupOrNothing(argv, context)
  const command = await found.entry.load()
  const input = parseInput(found.entry.name, command, found.words)
  if (input === 'wantsHelp') {
    context.output.print(commandHelp(found.entry, command))
    return 0
  }
  return command.run(input, context)
}

/** Right behind the command's name: what stands behind `--` is no option any more. */
function withReference(reference: string, argv: readonly string[]): readonly string[] {
  const found = find(argv)
  if (found === undefined) return argv
  return [...found.entry.name.split(' '), '-r', reference, ...found.words]
}

/** The command with the longest name that `argv` starts with. */
function find(argv: readonly string[]): { entry: Entry; words: readonly string[] } | undefined {
  for (const length of [3, 2, 1]) {
    const name = argv.slice(0, length).join(' ')
    const entry = COMMANDS.find((one) => one.name === name)
    if (entry !== undefined) return { entry, words: argv.slice(length) }
  }
  return undefined
}

function groupOrNothing(argv: readonly string[], context: Context): ExitCode {
  const [first = '', second] = argv
  const names = COMMANDS.map(({ name }) => name)
  const inGroup = names.filter((name) => name.startsWith(`${first} `))
  if (inGroup.length > 0 && (second === undefined || second === '--help' || second === '-h')) {
    context.output.print(groupHelp(first))
    return second === undefined ? 2 : 0
  }
  const typed = inGroup.length > 0 ? `${first} ${second}` : first
  const firstWords = names.map((name) => name.split(' ')[0] ?? '')
  const near =
    inGroup.length > 0 ? (ungrouped(argv) ?? didYouMean(typed, inGroup)) : didYouMean(typed, [...firstWords, ...names])
  const help = inGroup.length > 0 ? `flotilla ${first} --help` : 'flotilla --help'
  throw new FlotillaError(
    'USAGE',
    first.startsWith('-') ? `there is no option ${first}` : `there is no command "${typed}"`,
    {
      hint: near === undefined ? `See ${help}` : `${near} See also ${help}`,
    },
  )
}

/** Of a command that was looked for in a group it is not in. */
function ungrouped([, ...words]: readonly string[]): string | undefined {
  const name =
    find(words)?.entry.name ?? COMMANDS.find((one) => one.name.startsWith(`${words[0]} `))?.name.split(' ')[0]
  return name === undefined ? undefined : `Did you mean "${name}"?`
}
