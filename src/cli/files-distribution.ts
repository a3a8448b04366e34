import { resolve } from 'node:path'
import type { FilesConfig } from '../config/files.ts'
import { FlotillaError } from '../core/errors.ts'
import { ACK_LEVELS, isAckLevel } from '../core/push/ack.ts'
import type { Context } from './context.ts'

/** What a file service can be told of the nodes that get what is written to it. */
export const DISTRIBUTION = {
  child: {
    type: 'list',
    placeholder: 'URL',
    summary: 'a file service that gets all that is written here; trees have the same names there',
  },
  childKeyFile: {
    type: 'value',
    placeholder: 'FILE',
    summary: 'the key that is shown to the children, which there says: KEY parent TREE',
    completes: 'file',
  },
  childCa: {
    type: 'value',
    placeholder: 'FILE',
    summary: 'certificates in PEM that those of children with https:// are checked against, instead of the system’s',
    completes: 'file',
  },
  ack: {
    type: 'value',
    placeholder: 'LEVEL',
    summary: 'how far a write must have come before it is answered: local (default), one, quorum or all',
  },
  root: { type: 'flag', summary: 'nobody feeds the trees of this node: it takes writes itself' },
  relay: { type: 'flag', summary: 'let children pass on to each other what they get' },
  keepCopies: { type: 'flag', summary: 'keep what was not here and was read from a child' },
  catchUpRate: {
    type: 'value',
    placeholder: 'RATE',
    summary: 'how fast children that were away are brought up to date (default 20M), or a timetable',
  },
} as const

export interface GivenDistribution {
  readonly child: readonly string[]
  readonly childKeyFile: string | undefined
  readonly childCa: string | undefined
  readonly ack: string | undefined
  readonly root: boolean
  readonly relay: boolean
  readonly keepCopies: boolean
  readonly catchUpRate: string | undefined
}

type Trees = FilesConfig['trees']

/** Every tree with the children of the command line besides its own. Throws `USAGE`. */
export function distributed(trees: Trees, given: GivenDistribution, { cwd }: Context): Trees {
  const { child, childKeyFile, childCa, ack, relay, keepCopies } = given
  if (ack !== undefined && !isAckLevel(ack)) {
    throw new FlotillaError('USAGE', `--ack takes ${ACK_LEVELS.join(', ')}, not "${ack}"`)
  }
  if (child.length === 0 && childKeyFile !== undefined) {
    throw new FlotillaError('USAGE', '--child-key-file is shown to children, and there are none', {
      hint: 'Add --child URL.',
    })
  }
  const keyFile = childKeyFile === undefined ? undefined : resolve(cwd, childKeyFile)
  const caFile = childCa === undefined ? undefined : resolve(cwd, childCa)
  if (caFile !== undefined && !child.some((url) => url.startsWith('https:'))) {
    throw new FlotillaError('USAGE', '--child-ca is for children with https://, and there are none', {
      hint: 'Say --child https://…, or leave it out.',
    })
  }
  const children = child.map((url) => ({ url, keyFile, caFile }))
  const grown = Object.entries(trees).map(([name, tree]) => [
    name,
    {
      ...tree,
      children: tree.children === 'cluster' ? tree.children : [...tree.children, ...children],
      ack: ack ?? tree.ack,
      relay: relay || tree.relay,
      keepCopies: keepCopies || tree.keepCopies,
    },
  ])
  return Object.fromEntries(grown) as Trees
}
