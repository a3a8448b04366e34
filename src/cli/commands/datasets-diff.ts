import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { DiffAnswer } from '../../core/api.ts'
import { FlotillaError } from '../../core/errors.ts'
import { baseOf, type ReleaseRecord } from '../../core/release.ts'
import { clean } from '../../lib/clean.ts'
import { command } from '../command.ts'
import { CLIENT, type Hub, TREE, withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import { countChanges, parseRelease, printChanges } from '../format.ts'
import { releaseFolder } from '../release-folder.ts'

export const datasetsDiff = command({
  arguments: [
    {
      name: 'FROM',
      summary: 'a release, or a folder to compare the current release with',
      optional: true,
      completes: 'folder',
    },
    { name: 'TO', summary: 'a release; the current one when left out', optional: true },
  ],
  options: { ...TREE, ...CLIENT },
  details: 'Without arguments: what the current release changed.',
  examples: ['flotilla datasets diff', 'flotilla datasets diff r3 r5', 'flotilla datasets diff datasets.d'],
  async run({ args, options }, context) {
    await withHub(options, context, async (hub) => {
      const folder = await asFolder(args.FROM, context)
      if (folder !== undefined && args.TO !== undefined) {
        throw new FlotillaError('USAGE', 'a folder is compared with the current release only')
      }
      if (folder === undefined)
        tell(await betweenReleases(args.FROM, args.TO, options.tree, hub, context), options.json, context)
      else {
        const request = {
          tree: options.tree,
          folder,
          message: 'diff',
          dryRun: true,
          quarantine: true,
          confirmRemoval: true,
        }
        const { answer, previous } = await releaseFolder(request, hub, context)
        tell({ from: `r${previous}`, to: args.FROM ?? folder, changes: answer.changes }, options.json, context)
      }
    })
    return 0
  },
})

interface Difference extends Pick<DiffAnswer, 'changes'> {
  readonly from: string
  readonly to: string
  readonly files?: DiffAnswer['files']
}

async function betweenReleases(
  from: string | undefined,
  to: string | undefined,
  tree: string,
  hub: Hub,
  { signal }: Context,
): Promise<Difference> {
  const current = from === undefined || to === undefined ? await currentRelease(tree, hub, signal) : undefined
  const last = to === undefined ? (current?.number ?? 0) : parseRelease(to)
  const first = from === undefined ? baseOf(current ?? { number: last }) : parseRelease(from)
  const answer = await hub.client.diff(tree, first, last, { signal })
  return { ...answer, from: `r${answer.from}`, to: `r${answer.to}` }
}

async function currentRelease(tree: string, hub: Hub, signal: AbortSignal): Promise<ReleaseRecord> {
  const { desired } = await hub.client.status(tree, { signal })
  if (desired !== undefined) return desired
  throw new FlotillaError('NOT_FOUND', `nothing has been released in ${tree} yet`)
}

/** Something that is written like a release is one, unless a folder of that name is here. */
async function asFolder(text: string | undefined, { cwd }: Context): Promise<string | undefined> {
  if (text === undefined) return undefined
  const path = resolve(cwd, text)
  const isFolder = await stat(path)
    .then((found) => found.isDirectory())
    .catch(() => false)
  return isFolder || !/^r?\d+$/i.test(text) ? path : undefined
}

const FILES_MAX = 50

function tell(difference: Difference, json: boolean, { output }: Context): void {
  if (json) {
    output.json('diff', difference)
    return
  }
  output.print(clean(`${difference.from} → ${difference.to}: ${countChanges(difference.changes)}`))
  printChanges(difference.changes, output)
  const files = difference.files ?? []
  if (files.length > 0) output.print('files:')
  for (const { path, change } of files.slice(0, FILES_MAX)) output.print(clean(`  ${change}  ${path}`))
  if (files.length > FILES_MAX) output.print(`  … and ${files.length - FILES_MAX} more; --json has all`)
}
