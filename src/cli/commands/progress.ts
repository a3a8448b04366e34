import { META_MEMBERS, type NodeMetaChange } from '../../core/coordination/progress.ts'
import { FlotillaError } from '../../core/errors.ts'
import { command } from '../command.ts'
import { CLIENT, withHub } from '../connect.ts'
import { type Cell, table } from '../output.ts'

const value = (placeholder: string, summary: string) => ({ type: 'value', placeholder, summary }) as const

export const progress = command({
  arguments: [{ name: 'NODE', summary: 'whose progress it is; of all when left out', optional: true }],
  options: {
    icon: value('NAME', 'the icon that is shown for it'),
    color: value('NAME', 'its colour'),
    phase: value('TEXT', 'what it is at'),
    percent: value('N', 'how far it is, 0 to 100'),
    message: value('TEXT', 'what people should know'),
    waitingOn: value('TEXT', 'what it waits for'),
    clear: { type: 'flag', summary: 'take away everything that is not named here' },
    ...CLIENT,
  },
  details:
    'Sets what is named, leaves the rest; an empty text takes something away. Without any of them it shows what is set. A node that leads an election ' +
    'shows an anchor as long as it does, unless it shows something else.',
  examples: [
    'flotilla progress web1 --phase install --percent 40 --message "unpacking"',
    'flotilla progress web1 --phase done --clear',
    'flotilla progress',
  ],
  async run({ args, options }, context) {
    const { output, signal } = context
    const { NODE: node } = args
    const change = changeOf(options)
    const isChange = Object.keys(change).length > 0
    if (node === undefined && isChange) throw new FlotillaError('USAGE', 'NODE is missing: whose progress it is')
    return withHub(options, context, async ({ coordination }) => {
      const one =
        node === undefined
          ? undefined
          : isChange
            ? coordination.changeNodeMeta(node, change, { signal })
            : coordination.nodeMeta(node, { signal })
      const nodes = one === undefined ? (await coordination.nodeMetas({ signal })).nodes : [await one]
      if (options.json) output.json('progress', { nodes })
      else {
        const rows = nodes.map(({ node: name, meta, leads }): readonly Cell[] => [
          name,
          meta.phase ?? '',
          meta.percent === undefined ? '' : `${meta.percent} %`,
          meta.message ?? '',
          meta.waitingOn ?? '',
          [meta.icon, meta.color].filter((part) => part !== undefined).join(' '),
          leads.join(', '),
        ])
        table(output, ['NODE', 'PHASE', 'PERCENT', 'MESSAGE', 'WAITING ON', 'ICON', 'LEADS'], rows)
      }
      return 0
    })
  },
})

type Given = { readonly [K in (typeof META_MEMBERS)[number]]: string | undefined } & { readonly clear: boolean }

function changeOf(options: Given): NodeMetaChange {
  const pairs = META_MEMBERS.map((name) => [name, memberOf(name, options[name], options.clear)] as const)
  return Object.fromEntries(pairs.filter(([, member]) => member !== undefined))
}

function memberOf(name: string, text: string | undefined, clear: boolean): string | number | null | undefined {
  if (text === undefined) return clear ? null : undefined
  if (text === '') return null
  if (name !== 'percent') return text
  const percent = Number(text)
  if (/^\d{1,3}(?:\.\d+)?$/.test(text) && percent <= 100) return percent
  throw new FlotillaError('USAGE', '--percent takes a number from 0 to 100')
}
