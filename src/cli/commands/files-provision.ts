import type { Provisioned } from '../../core/push/upkeep.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { type Asked, behindText, childText, type TreeChild, UPKEEP, withChildren } from '../files-upkeep.ts'
import { plural, span } from '../format.ts'
import { size } from '../sync-view.ts'

export const filesProvision = command({
  arguments: [{ name: 'CHILD', summary: 'the new node, as HOST:PORT' }],
  options: UPKEEP,
  details:
    'Shows how far it is, and ends when the child has everything. It goes on when this command is stopped, and after a restart of either ' +
    'side. Every file is offered; only what the child does not hold travels, verified, and no faster than --catch-up-rate of ' +
    'the file service. A child that is new gets everything by itself: this is for one that was filled or damaged otherwise.',
  examples: ['flotilla files provision 10.0.0.3:8480 --url http://root:8480'],
  async run({ options, args }, context) {
    return await withChildren(options, context, args.CHILD, async (asked) => {
      let isStuck = false
      for (const fed of asked.fed) isStuck = (await provision(asked, fed, options.json, context)) || isStuck
      return isStuck ? 1 : 0
    })
  },
})

/** Whether there is something that it could not take. */
async function provision(asked: Asked, fed: TreeChild, isJson: boolean, context: Context): Promise<boolean> {
  const { output, signal } = context
  let last: Provisioned | undefined
  for await (const progress of asked.upkeep.provision(fed.tree, fed.child.name, { signal })) {
    last = progress
    if (isJson) output.json('provision', { tree: fed.tree, child: fed.child.name, ...progress })
    else output.progress(lineOf(fed, progress))
  }
  const stuck = last?.stuck ?? 0
  if (isJson) return stuck > 0
  output.print(`${childText(fed)}: in step, ${size(last?.sentBytes ?? 0)} travelled`)
  if (stuck > 0) {
    output.note(`it could not take ${plural(stuck, 'file')}: flotilla files missing ${fed.child.name}`)
  }
  return stuck > 0
}

function lineOf(fed: TreeChild, { state, behind, sentBytes, etaMs, error }: Provisioned): string {
  const left = etaMs === undefined ? '' : `, ${span(etaMs)} left`
  const why = error === undefined ? '' : ` (${error})`
  return `${childText(fed)}: ${state}, ${behindText(behind)} to look at, ${size(sentBytes)} sent${left}${why}`
}
