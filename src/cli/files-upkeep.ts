import type { upkeepAt } from '../app/files-upkeep.ts'
import { type ExitCode, FlotillaError } from '../core/errors.ts'
import type { ChildView } from '../core/push/distribution.ts'
import { cleanLine } from '../lib/clean.ts'
import type { Context } from './context.ts'
import { FILES_AT, filesAt } from './files-at.ts'
import { plural } from './format.ts'
import { size } from './sync-view.ts'

/** Options of commands about the children of a file service. */
export const UPKEEP = {
  tree: { type: 'value', placeholder: 'NAME', summary: 'of this tree only' },
  ...FILES_AT,
} as const

interface Given {
  readonly tree: string | undefined
  readonly url?: string | undefined
  readonly apikeyFile: string | undefined
}

export interface TreeChild {
  readonly tree: string
  readonly child: ChildView
}

/** A node may be a child for several trees. */
export interface Asked {
  readonly upkeep: ReturnType<typeof upkeepAt>
  readonly fed: readonly TreeChild[]
  /** Trees that somebody else feeds, and who; or who took it over from this node. */
  readonly fedBy: readonly { readonly tree: string; readonly by: string; readonly isTaken: boolean }[]
}

/** Asks the file service that is meant for the children of its trees, or for the one of that name. */
export async function withChildren(
  given: Given,
  context: Context,
  name: string | undefined,
  use: (asked: Asked) => Promise<ExitCode>,
): Promise<ExitCode> {
  const { clock, signal } = context
  const app = await import('../app/files-upkeep.ts')
  const at = await filesAt(given, context)
  const trees = given.tree === undefined ? await app.treesAt(at, clock, signal) : [given.tree]
  const upkeep = app.upkeepAt(at, clock)
  try {
    const all = await Promise.all(trees.map(async (tree) => upkeep.children(tree, { signal })))
    const fed = all.flatMap(({ tree, children }) => children.map((child) => ({ tree, child })))
    const meant = name === undefined ? fed : fed.filter(({ child }) => child.name === name || child.url === name)
    if (name !== undefined && meant.length === 0) throw noChild(name, fed)
    const fedBy = all.flatMap(({ tree, fedBy: fed, outdatedBy }) => {
      const by = fed ?? outdatedBy
      return by === undefined ? [] : [{ tree, by, isTaken: fed === undefined }]
    })
    return await use({ upkeep, fed: meant, fedBy })
  } finally {
    await upkeep.close()
  }
}

function noChild(name: string, fed: readonly TreeChild[]): FlotillaError {
  const names = [...new Set(fed.map(({ child }) => child.name))]
  return new FlotillaError('NOT_FOUND', `this file service has no child ${name}`, {
    hint: names.length === 0 ? 'It has none at all.' : `It has: ${names.join(', ')}.`,
  })
}

/** `12 files, 3.4 MiB`. */
export function behindText({ operations, bytes }: ChildView['behind']): string {
  return operations === 0 ? '-' : `${plural(operations, 'file')}, ${size(bytes)}`
}

export function childText({ tree, child }: TreeChild): string {
  return cleanLine(`${tree} at ${child.name}`)
}
