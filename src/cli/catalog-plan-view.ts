import type { Expected, ExpectedWork, Way } from '../app/catalog-ways.ts'
import type { CatalogNodeAnswer } from '../core/api-catalog.ts'
import type { NodeLiveness } from '../core/api.ts'
import type { Problem } from '../core/problem.ts'
import { clean } from '../lib/clean.ts'
import { countsText } from './catalog-view.ts'
import { plural } from './format.ts'
import type { Output } from './output.ts'

const WAYS: Readonly<Record<Way, string>> = {
  rest: 'over REST, live',
  body: 'over REST, through their style, live',
  place: 'placed as files, read by themselves',
  reload: 'placed as files, read by nothing but a reload',
}
const NAMED_MAX = 5
/** As `reloadAbove` is unless a node says otherwise. */
const RELOAD_ABOVE = 150
const RELOAD =
  'one reload: each node waits for a drain, where proxies send clients to it, and is out of service meanwhile'

/** What every node is expected to do. */
export function printWork({ expected, objects, truncated }: ExpectedWork, output: Output): void {
  output.print('what each node would do:')
  const isTooMuch = objects > RELOAD_ABOVE
  if (isTooMuch) {
    output.print(`  ${objects} objects are more than ${RELOAD_ABOVE} (\`reloadAbove\`): all are placed as files, then`)
    output.print(`  ${RELOAD}`)
    return
  }
  for (const line of wayLines(expected)) output.print(`  ${line}`)
  if (expected.some(({ tell }) => tell === 'reset'))
    output.print('  one reset, so that graphics and projections are read anew')
  if (expected.some(({ tell }) => tell === 'tile-config')) output.print('  GeoWebCache reads its configuration anew')
  if (truncated.length > 0) output.print(clean(`  the tiles of ${named(truncated)} are dropped`))
  if (expected.some(({ way }) => way === 'reload')) output.print(`  ${RELOAD}`)
}

function wayLines(expected: readonly Expected[]): readonly string[] {
  return Object.entries(WAYS).flatMap(([way, words]) => {
    const keys = expected.filter((one) => one.way === way).map(({ key }) => key)
    return keys.length === 0 ? [] : [clean(`${keys.length} ${words}: ${named(keys)}`)]
  })
}

function named(keys: readonly string[]): string {
  const more = keys.length > NAMED_MAX ? ` and ${keys.length - NAMED_MAX} more` : ''
  return keys.slice(0, NAMED_MAX).join(', ') + more
}

/** What one node has yet to do for the release that is there. */
export interface NodePlan {
  readonly node: string
  readonly liveness: NodeLiveness
  readonly counts: CatalogNodeAnswer['catalog']['counts']
  readonly due: readonly Expected[]
  readonly warnings: readonly Problem[]
}

export function printNodePlans(plans: readonly NodePlan[], release: number | undefined, output: Output): void {
  if (plans.length === 0) output.print('no node has told anything of it yet')
  for (const { node, liveness, counts, due, warnings } of plans) {
    const lost = liveness === 'lost' ? ', lost: does it when it is back' : ''
    const what = counts.apply === 0 ? 'nothing to do' : `${plural(counts.apply, 'thing')} to do`
    const others = countsText({ ...counts, apply: 0 })
    output.print(clean(`${node}: ${what}${release === undefined ? '' : ` for r${release}`}${lost}`))
    for (const line of wayLines(due)) output.print(`  ${line}`)
    for (const { message, hint } of warnings) output.print(clean(`  ${message}${hint === undefined ? '' : ` ${hint}`}`))
    if (others !== '') output.print(`  besides: ${others}`)
  }
}
