import type { Difference } from '../../core/push/buckets.ts'
import type { RepairReport } from '../../core/push/upkeep.ts'
import { cleanLine } from '../../lib/clean.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { type Asked, childText, type TreeChild, UPKEEP, withChildren } from '../files-upkeep.ts'
import { plural } from '../format.ts'

export const filesRepair = command({
  arguments: [{ name: 'CHILD', summary: 'as HOST:PORT; all of them without one', optional: true }],
  options: {
    dryRun: { type: 'flag', summary: 'only tell what differs' },
    takeBack: { type: 'flag', summary: 'take from children what this node has lost, with its disk or its ledger' },
    prefix: { type: 'value', placeholder: 'PREFIX', summary: 'only keys that begin so' },
    ...UPKEEP,
  },
  details:
    'Finds what was damaged, removed or added behind our backs, by sums of what each side has, and sends it again. Files that only the ' +
    'child has are told and stay, unless they were deleted here; with --take-back those are fetched that are newer than all that is known ' +
    'of them here, and go to every node. This happens by itself once a day. The exit code is 0 when nothing ' +
    'differs but by files that were removed from the folder here, 3 when something does or did.',
  examples: ['flotilla files repair --dry-run', 'flotilla files repair 10.0.0.2:8480 --prefix music/'],
  async run({ options, args }, context) {
    const { dryRun: isDry, takeBack: isTakingBack, prefix = '', json } = options
    return await withChildren(options, context, args.CHILD, async (asked) => {
      if (asked.fed.length === 0) context.output.note('this file service has no children')
      let isAny = false
      for (const fed of asked.fed)
        isAny = (await repair(asked, fed, { isDry, isTakingBack, prefix, json }, context)) || isAny
      return isAny ? 3 : 0
    })
  },
})

interface Wish {
  readonly isDry: boolean
  readonly isTakingBack: boolean
  readonly prefix: string
  readonly json: boolean
}

const SIGNS: Readonly<Record<Difference['kind'], string>> = {
  missing: '- missing there ',
  other: '~ other there   ',
  extra: '+ only there    ',
  dropped: '. dropped here  ',
}

/** Whether anything differs. */
async function repair(asked: Asked, fed: TreeChild, wish: Wish, { output, signal }: Context): Promise<boolean> {
  const { tree, child } = fed
  let report: Omit<RepairReport, 'named'> | undefined
  for await (const line of asked.upkeep.repair(tree, child.name, { ...wish, signal })) {
    if ('kind' in line) {
      if (wish.json) output.json('difference', { tree, child: child.name, ...line })
      else output.print(cleanLine(`${SIGNS[line.kind]} ${tree}/${line.key}`))
    } else {
      report = line
      output.progress(`${childText(fed)}: ${line.looked} of ${line.buckets} parts that differ were looked into`)
    }
  }
  if (report === undefined) return false
  const { missing, other, extra, dropped, repaired, taken } = report
  const isAny = missing + other + extra > 0
  if (wish.json) output.json('repair', { tree, child: child.name, ...report })
  else if (!isAny) output.print(`${childText(fed)}: nothing differs`)
  else {
    const done = wish.isDry
      ? 'nothing was changed'
      : `${plural(repaired, 'file')} on the way${taken > 0 ? `, ${taken} taken back` : ''}`
    output.print(`${childText(fed)}: ${missing} missing there, ${other} other there, ${extra} only there; ${done}`)
  }
  if (!wish.json && dropped > 0) {
    output.note(
      `${childText(fed)}: ${plural(dropped, 'file')} removed from the folder here only, which deletes nothing`,
    )
  }
  return isAny
}
