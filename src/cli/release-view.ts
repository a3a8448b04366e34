import type { ReleaseAnswer } from '../core/api.ts'
import type { Quarantined, ReleaseRecord } from '../core/release.ts'
import { treeOption } from '../core/status.ts'
import { clean } from '../lib/clean.ts'
import type { Context } from './context.ts'
import { printProblems } from './findings.ts'
import { ago, countChanges, isOfCatalog, plural, printChanges } from './format.ts'
import { printPlan } from './plan-view.ts'
import { strategyText } from './rollout-view.ts'
import type { TakenBack } from './taken-back.ts'

interface TellOptions {
  /** The release before; 0 for none. */
  readonly previous: number
  readonly json: boolean
  readonly dryRun?: boolean
  /** The release whose contents this one has. */
  readonly backTo?: ReleaseRecord | undefined
  readonly back?: TakenBack | undefined
}

/** Says what was released, what that does, and how to take it back. */
export function tellRelease(answer: ReleaseAnswer, options: TellOptions, context: Context): void {
  const { output, clock } = context
  const { previous, json, dryRun = false, backTo, back } = options
  const undo = answer.changed && !dryRun && previous > 0 ? undoOf(answer, previous) : undefined
  if (json) {
    const takesBack = back && { release: back.release.number, author: back.release.author, datasets: back.datasets }
    output.json(dryRun ? 'plan' : 'release', { ...answer, previous, undo, takesBack })
    return
  }
  const { release } = answer
  printProblems(answer.warnings, output)
  for (const kept of answer.quarantined) output.print(quarantineLine(kept))
  if (!answer.changed) {
    output.print(`unchanged: the contents are those of r${previous}`)
    return
  }
  const name = dryRun ? 'would be released' : `r${release.number}`
  if (backTo !== undefined) output.print(clean(`${name}  back to r${backTo.number}: "${backTo.message}"`))
  const items = answer.changes.some(isOfCatalog) ? 'object or file' : 'dataset'
  const many = items === 'dataset' ? 'datasets' : 'objects and files'
  output.print(`${output.paint('bold', name)}  ${plural(release.items, items, many)}: ${countChanges(answer.changes)}`)
  printChanges(answer.changes, output)
  if (back !== undefined) output.print(`${output.paint('yellow', 'note:')} ${backLine(back, clock.nowMs())}`)
  if (dryRun) printPlan(answer, context)
  else if (answer.strategy !== undefined) output.print(`it goes out in waves: ${strategyText(answer.strategy)}`)
  if (undo !== undefined) output.print(`undo: ${undo}`)
}

/** What is on its way is stopped; what has arrived is taken back by another release. */
function undoOf({ release, strategy }: ReleaseAnswer, previous: number): string {
  const option = treeOption(release.tree)
  return strategy === undefined ? `flotilla rollback r${previous}${option}` : `flotilla rollout abort${option}`
}

const NAMED_MAX = 10

/** `this takes back what r2 by anna changed 40 s ago: coastBuoys`. */
function backLine({ release, datasets }: TakenBack, nowMs: number): string {
  const more = datasets.length > NAMED_MAX ? ` and ${datasets.length - NAMED_MAX} more` : ''
  const names = datasets.slice(0, NAMED_MAX).join(', ') + more
  return clean(
    `this takes back what r${release.number} by ${release.author} changed ${ago(release.atMs, nowMs)}: ${names}`,
  )
}

function quarantineLine({ path, problem, keptFrom }: Quarantined): string {
  const kept =
    keptFrom === undefined ? 'it is left out, as there is no good version' : `its version of r${keptFrom} is kept`
  const place = problem.line === undefined ? path : `${path}:${problem.line}`
  return clean(`${place}: quarantined, ${kept}: ${problem.message} [${problem.code}]`)
}
