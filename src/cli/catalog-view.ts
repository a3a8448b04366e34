import type { CatalogAnswer, CatalogDifference, CatalogNodeAnswer } from '../core/api-catalog.ts'
import type { StatusAnswer } from '../core/api.ts'
import { clean, cleanLine } from '../lib/clean.ts'
import { shellWord } from '../lib/shell-word.ts'
import { catalogOption } from './catalog-options.ts'
import { problemLines } from './errors.ts'
import { ago, plural } from './format.ts'
import { releaseOf, stateOf, troubleOf } from './node-view.ts'
import { type Cell, type Output, table } from './output.ts'

type Decision = CatalogDifference['decision']

/** What waits for a person first. */
const ORDER: readonly Decision[] = ['conflict', 'report', 'propose', 'apply']

const WORDS: Readonly<Record<Decision, { readonly count: string; readonly head: string }>> = {
  conflict: { count: 'in conflict', head: 'changed here and by a release: stays as it is until somebody decides' },
  report: { count: 'of its own', head: 'changed here, and told only' },
  propose: { count: 'to be released', head: 'changed here, becomes part of the next release' },
  apply: { count: 'to be applied', head: 'not yet as the release has it' },
}

/** Nodes of a catalog, and what tells of each. */
export interface CatalogPicture {
  readonly status: StatusAnswer
  readonly catalog: CatalogAnswer
}

export function printCatalogNodes({ status, catalog }: CatalogPicture, nowMs: number, output: Output): void {
  const told = new Map(catalog.nodes.map((one) => [one.node, one.catalog]))
  const { tree, desired, pins } = status
  const rows = status.nodes.map((node): Cell[] => {
    const target = node.targets[tree]
    const own = told.get(node.node)
    return [
      node.node,
      own?.role ?? '-',
      stateOf(node, status),
      releaseOf(target, desired?.number, pins?.[node.node]),
      own === undefined ? '-' : countsText(own.counts) || 'none',
      target?.version ?? '-',
      target === undefined ? '-' : ago(target.atMs, nowMs),
      troubleOf(node, tree),
    ]
  })
  table(output, ['NODE', 'ROLE', 'STATE', 'RELEASE', 'CHANGES', 'GEOSERVER', 'REPORTED', 'LAST ERROR'], rows)
}

/** `1 in conflict, 2 of its own`; nothing where nothing differs. */
export function countsText(counts: CatalogNodeAnswer['catalog']['counts']): string {
  return ORDER.filter((decision) => counts[decision] > 0)
    .map((decision) => `${counts[decision]} ${WORDS[decision].count}`)
    .join(', ')
}

const LISTED_MAX = 20

/** What differs on a node, what waits for a person first, and what to type. */
function printDifferences(one: CatalogNodeAnswer, tree: string, max: number, output: Output): void {
  for (const decision of ORDER) {
    const found = one.catalog.differences.filter((each) => each.decision === decision)
    if (found.length === 0) continue
    output.print(`\n${output.paint('bold', one.node)}  ${WORDS[decision].head}`)
    for (const difference of found.slice(0, max)) output.print(cleanLine(`  ${lineOf(difference)}`))
    const left = one.catalog.counts[decision] - Math.min(found.length, max)
    if (left > 0) output.print(`  … and ${left} more`)
    if (decision === 'conflict' || decision === 'report') printAdvice(one.node, found, tree, output)
  }
}

export function printNode(one: CatalogNodeAnswer, tree: string, nowMs: number, output: Output): void {
  printDifferences(one, tree, LISTED_MAX, output)
  const { proposal, problems, kept, orders } = one.catalog
  if (proposal.error !== undefined) {
    const sign = proposal.state === 'refused' ? output.paint('red', 'refused') : output.paint('yellow', 'waiting')
    const hint = proposal.error.hint === undefined ? '' : ` ${proposal.error.hint}`
    output.print(`${sign} ${clean(`${one.node}: its changes are not released: ${proposal.error.message}.${hint}`)}`)
  }
  if (problems.length > 0) output.print(`\n${one.node}  in its data directory`)
  for (const line of problemLines(problems, output)) output.print(`  ${line}`)
  for (const { order, state, error, atMs } of orders.filter(({ state: how }) => how === 'refused').slice(0, 3)) {
    output.print(clean(`${one.node}: ${order} ${state}, ${ago(atMs, nowMs)}: ${error?.message ?? ''}`))
  }
  for (const { order, author, atMs } of one.waiting) {
    output.print(clean(`${one.node}: ${order} by ${author}, ${ago(atMs, nowMs)}: not taken up yet`))
  }
  if (kept > 0) {
    const command = `flotilla catalog kept --node ${one.node}${catalogOption(tree)}`
    const [were, are] = kept === 1 ? ['was', 'is'] : ['were', 'are']
    output.print(`${one.node}: ${plural(kept, 'version')} that ${were} overwritten ${are} kept: ${command}`)
  }
}

/** `style/burg  title: "A" → "B"`. */
function lineOf({ key, local, desired, decision, details = [] }: CatalogDifference): string {
  const [absent, more] = decision === 'apply' ? ['not here yet', 'still here'] : ['deleted here', 'only here']
  const what = local === undefined ? absent : desired === undefined ? more : details.join('; ')
  return what === '' ? key : `${key}  ${what}`
}

function printAdvice(node: string, [first]: readonly CatalogDifference[], tree: string, output: Output): void {
  if (first === undefined) return
  const rest = `${shellWord(first.key)} --node ${node}${catalogOption(tree)}`
  output.print(clean(`  keep it: flotilla catalog adopt ${rest}`))
  output.print(clean(`  undo it: flotilla catalog revert ${rest}`))
}
