import type { ChildView } from '../../core/push/distribution.ts'
import { cleanLine } from '../../lib/clean.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { type Asked, behindText, UPKEEP, withChildren } from '../files-upkeep.ts'
import { ago, span } from '../format.ts'
import { type Cell, table } from '../output.ts'
import { size } from '../sync-view.ts'

const STATES: Readonly<Record<ChildView['state'], Cell>> = {
  'in-step': { text: '✓ in step', colour: 'green' },
  sending: { text: '… sending', colour: 'yellow' },
  waiting: { text: '… waiting', colour: 'yellow' },
  unreachable: { text: '! unreachable', colour: 'red' },
  refused: { text: '✗ refused', colour: 'red' },
}

export const filesMissing = command({
  arguments: [{ name: 'CHILD', summary: 'its files one by one, as HOST:PORT', optional: true }],
  options: UPKEEP,
  details:
    'What is missing is sent by itself as soon as it can be. The exit code is 0 when the children, and the nodes below them, lack nothing, 3 when they do. ' +
    'With --json a line for each child, or for each file.',
  examples: ['flotilla files missing', 'flotilla files missing 10.0.0.2:8480 --url http://root:8480'],
  async run({ options, args }, context) {
    return await withChildren(options, context, args.CHILD, async (asked) => {
      if (args.CHILD === undefined) return showChildren(asked, options.json, context)
      return await showFiles(asked, options.json, context)
    })
  },
})

function showChildren({ fed, fedBy }: Asked, isJson: boolean, { output, clock }: Context): 0 | 3 {
  const nowMs = clock.nowMs()
  if (isJson) for (const { tree, child } of fed) output.json('child', { tree, ...child })
  else {
    if (fed.length === 0) output.note('this file service has no children')
    for (const { tree, by, isTaken } of fedBy)
      output.note(cleanLine(isTaken ? takenText(tree, by) : `${tree} is fed by ${by}`))
    const rows = fed.map(({ tree, child }): Cell[] => {
      const { sinceMs } = child.behind
      return [
        tree,
        child.name,
        stateOf(child),
        behindText(child.behind),
        sinceMs === undefined ? '-' : ago(sinceMs, nowMs),
        child.etaMs === undefined ? '-' : span(child.etaMs),
        child.stuck === 0 ? '-' : String(child.stuck),
        child.heardMs === undefined ? 'never' : ago(child.heardMs, nowMs),
        child.error ?? (child.below && `below it ${child.below}`) ?? '',
      ]
    })
    table(output, ['TREE', 'CHILD', 'STATE', 'MISSING', 'SINCE', 'ETA', 'STUCK', 'HEARD', 'LAST ERROR'], rows)
    for (const { tree, child } of fed) {
      if (child.hint !== undefined) output.note(cleanLine(`${tree} at ${child.name}: ${child.hint}`))
    }
  }
  // What another root feeds, this one only looks after.
  const own = fed.filter(({ child }) => child.isFedElsewhere !== true)
  return own.some(
    ({ child: { state, behind, below } }) => state !== 'in-step' || behind.operations > 0 || below !== undefined,
  )
    ? 3
    : 0
}

/** Of a root from which another took over: what it took since is what that one lacks. */
function takenText(tree: string, by: string): string {
  return `${by} took ${tree} over from this node, which takes no more writes; what it took since: flotilla files missing ${by}`
}

/** It is heard and sent to, and still not in step, where there is what it cannot take, or a node below it is not. */
function stateOf({ state, stuck, below }: ChildView): Cell {
  if (state === 'in-step' && stuck === 0 && below !== undefined) return { text: '! not below it', colour: 'red' }
  return state === 'in-step' && stuck > 0 ? { text: '! lacks files', colour: 'red' } : STATES[state]
}

async function showFiles({ upkeep, fed }: Asked, isJson: boolean, { output, signal }: Context): Promise<0 | 3> {
  let isAny = false
  for (const { tree, child } of fed) {
    for await (const files of upkeep.missing(tree, child.name, { signal })) {
      for (const file of files) {
        isAny = true
        const since = new Date(file.recordedMs).toISOString()
        const what = file.size === undefined ? 'delete' : size(file.size)
        const why = file.error === undefined ? '' : `  ${file.error}`
        if (isJson) output.json('missing', { tree, child: child.name, ...file })
        else output.print(cleanLine(`${what.padStart(10)}  ${since}  ${tree}/${file.key}${why}`))
      }
      if (output.out.closed === true) return 3
    }
  }
  if (!isAny && !isJson) output.note('it lacks nothing')
  return isAny ? 3 : 0
}
