import { FlotillaError } from '../core/errors.ts'
import type { Command, Option } from './command.ts'
import type { Context } from './context.ts'
import type { NodeAt } from './nodes-file.ts'
import { Output, type Sink } from './output.ts'

/** One command line for several servers that have no hub: it is sent to each, and each one's answer is told. */

export interface Split {
  readonly nodes: { readonly list: string | undefined; readonly file: string | undefined }
  /** The command line without the nodes. */
  readonly rest: readonly string[]
}

/** Beside those of every command that asks a hub, wherever they stand. */
export const NODES = {
  nodes: { type: 'value', placeholder: 'A,B', summary: 'ask each of these servers, which have no hub' },
  nodesFile: { type: 'value', placeholder: 'FILE', summary: 'their addresses and tokens', completes: 'file' },
} as const satisfies Record<string, Option>

/** Whether the command asks a hub, so that it can ask each of several servers instead. */
export function isForEach(command: Command | undefined): boolean {
  const options = command?.options ?? {}
  return Object.hasOwn(options, 'url') && Object.hasOwn(options, 'tokenFile')
}

/** Takes `--nodes LIST` and `--nodes-file FILE` out, wherever they stand; undefined where neither does. */
export function splitNodes(argv: readonly string[]): Split | undefined {
  const found = new Map<string, string>()
  const rest: string[] = []
  // What stands behind `--` are values.
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length
  const left = argv.slice(0, end)
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    const [, name, inline] = /^(--nodes|--nodes-file)(?:=(.*))?$/s.exec(word) ?? []
    if (name === undefined) {
      rest.push(word)
      continue
    }
    const value = inline ?? left.shift()
    if (value === undefined || value === '') throw new FlotillaError('USAGE', `${name} needs a value`)
    found.set(name, value)
  }
  if (found.size === 0) return undefined
  return { nodes: { list: found.get('--nodes'), file: found.get('--nodes-file') }, rest: [...rest, ...argv.slice(end)] }
}

type Run = (argv: readonly string[], context: Context) => Promise<number>

interface Told {
  readonly node: NodeAt
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Of several, the one that a script should hear of: what passes by itself counts least, then what a person has to see to. */
const WORST_LAST: readonly number[] = [0, 3, 7, 5, 4, 6, 1, 2, 130]

/**
 * Runs the command for every node at once, each as if its address and token were in the environment. Answers the worst of
 * their exit codes.
 */
export async function runOnNodes(
  { nodes, rest }: Split,
  command: Command | undefined,
  run: Run,
  context: Context,
): Promise<number> {
  if (rest.some((word) => word === '--help' || word === '-h')) return run(rest, context)
  refuseUnlessForEach(rest, command)
  const { nodesOf } = await import('./nodes-file.ts')
  const all = await nodesOf(nodes, context)
  const told = await Promise.all(all.map((node) => runOn(node, rest, run, context)))
  const code = told.map((one) => one.code).reduce((a, b) => (WORST_LAST.indexOf(a) >= WORST_LAST.indexOf(b) ? a : b))
  if (rest.includes('--json')) context.output.json('nodes', { exitCode: code, nodes: told.map(jsonOf) })
  else tell(told, context)
  return code
}

function refuseUnlessForEach(rest: readonly string[], command: Command | undefined): void {
  if (!isForEach(command)) {
    throw new FlotillaError('USAGE', '--nodes goes with a command that asks a hub', {
      hint: 'As in: flotilla --nodes a,b,c datasets reload DATASET',
    })
  }
  const clash = rest.find((word) => /^--(?:url|token-file|watch)(?:=|$)/.test(word))
  if (clash === undefined) return
  throw new FlotillaError('USAGE', `${clash.split('=')[0]} does not go with --nodes`, {
    hint: 'Addresses and tokens are those of the nodes: of --nodes-file, or FLOTILLA_TOKEN_FILE for all.',
  })
}

async function runOn(node: NodeAt, rest: readonly string[], run: Run, context: Context): Promise<Told> {
  const [out, err] = [new Heard(), new Heard()]
  const output = new Output(out, err, context.env)
  const token = node.tokenFile === undefined ? {} : { FLOTILLA_TOKEN_FILE: node.tokenFile }
  const env = { ...context.env, FLOTILLA_URL: node.url, ...token }
  const code = await run(rest, { ...context, output, env })
  return { node, code, out: out.text, err: err.text }
}

class Heard implements Sink {
  text = ''

  write(text: string | Uint8Array): void {
    this.text += typeof text === 'string' ? text : Buffer.from(text).toString('utf8')
  }
}

function jsonOf({ node, code, out, err }: Told): object {
  const answer = parsed(out)
  const error = parsed(err.trim().split('\n').at(-1) ?? '')
  return { node: node.name, url: node.url, exitCode: code, answer, error: code === 0 ? undefined : error }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function tell(told: readonly Told[], { output }: Context): void {
  for (const { node, out, err } of told) {
    const name = output.paint('bold', node.name)
    for (const line of under(name, out)) output.print(line)
    for (const line of under(name, err)) output.note(line)
  }
  const bad = told.filter(({ code }) => code !== 0)
  if (bad.length === 0 || told.length === 1) return
  const each = bad.map(({ node, code }) => `${node.name} with ${code}`).join(', ')
  output.note(`${told.length - bad.length} of ${told.length} nodes ended with exit code 0; ${each}`)
}

/** One line after the name, several below it. */
function under(name: string, text: string): readonly string[] {
  if (text === '') return []
  const lines = text.trimEnd().split('\n')
  if (lines.length === 1) return [`${name}: ${lines[0]}`]
  return [`${name}:`, ...lines.map((line) => `  ${line}`.trimEnd())]
}
