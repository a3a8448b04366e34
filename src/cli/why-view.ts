import type { WhyAnswer } from '../core/api.ts'
import { placeOf, type Problem } from '../core/problem.ts'
import { outcomeText } from '../core/rollout-words.ts'
import type { TargetError } from '../core/target.ts'
import { clean } from '../lib/clean.ts'
import type { Context } from './context.ts'
import { ago, changeText } from './format.ts'
import { problemText } from './node-view.ts'
import { type Cell, type Colour, table } from './output.ts'

/** What is known of one item, and on which node it is how. */
export function printWhy(answer: WhyAnswer, { output, clock }: Context): void {
  const { item } = answer
  output.print(
    output.paint('bold', clean(answer.dataset)) +
      clean(item === undefined ? '  not in the current release' : `  ${item.type}`),
  )
  if (item !== undefined) {
    output.print(clean(`  defined in ${item.path}:${item.line}${item.active ? '' : ', switched off'}`))
  }
  if (answer.nodes.length > 0) output.print()
  table(output, ['NODE', 'STATE', 'WHY'], answer.nodes.map(nodeRow))
  if (answer.history.length > 0) output.print()
  const rows = answer.history.map(({ release, author, message, atMs, change, outcome }) => [
    `r${release}`,
    ago(atMs, clock.nowMs()),
    author,
    changeText(change),
    outcome === undefined ? message : `${message} (${outcomeText(outcome)})`,
  ])
  table(output, ['RELEASE', 'WHEN', 'BY', 'CHANGE', 'MESSAGE'], rows)
}

const STATES: Readonly<Record<string, readonly [string, Colour]>> = {
  served: ['✓ served', 'green'],
  loading: ['… loading', 'yellow'],
  failed: ['✗ failed', 'red'],
  unproved: ['? unproved', 'yellow'],
  inactive: ['- inactive', 'dim'],
  absent: ['! absent', 'red'],
}

function nodeRow({ node, liveness, state, problem, error, pin, drained }: WhyAnswer['nodes'][number]): Cell[] {
  const [text, colour] = liveness === 'lost' ? (['! lost', 'red'] as const) : (STATES[state] ?? [state, 'dim' as const])
  const why = [
    problem === undefined ? nodeReason(error) : reasonOf(problem),
    ...(pin === undefined ? [] : [`pinned to r${pin}`]),
    ...(drained === undefined ? [] : [`drained: ${drained}`]),
  ]
  return [node, { text, colour }, why.filter((part) => part !== '').join('; ')]
}

function reasonOf(problem: Problem): string {
  return `${problem.file === '' ? '' : `${placeOf(problem)}: `}${problem.message}`
}

/** What holds up the whole node, and what to do about it. */
function nodeReason(error: TargetError | undefined): string {
  if (error === undefined) return ''
  return error.hint === undefined ? problemText(error) : `${problemText(error)}. ${error.hint}`
}
