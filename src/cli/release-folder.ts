import { resolve } from 'node:path'
import type { ReleaseAnswer, ReleaseRequest } from '../core/api.ts'
import { FlotillaError } from '../core/errors.ts'
import type { Problem } from '../core/problem.ts'
import type { FileTree, TreeFile, TreeItem } from '../core/tree.ts'
import type { Hub } from './connect.ts'
import type { Context } from './context.ts'
import { countProblems, errorsOf, sorted } from './findings.ts'
import { type TakenBack, takenBack } from './taken-back.ts'

interface FolderRelease extends Omit<ReleaseRequest, 'kind' | 'files' | 'base'> {
  readonly tree: string
  readonly folder: string
}

interface Released {
  readonly answer: ReleaseAnswer
  /** The release before; 0 for none. */
  readonly previous: number
  readonly back: TakenBack | undefined
}

/** A folder as it was read and checked here. */
export interface CheckedTree {
  readonly kind: string
  readonly tree: FileTree
  readonly items: readonly TreeItem[]
  readonly problems: readonly Problem[]
  /** Files that go with it whatever the folder says, and that the hub holds already. */
  readonly besides?: readonly TreeFile[]
  /** What to do where it has errors. */
  readonly advice?: string
}

const ADVICE = 'Mend the files, or release with --quarantine to keep the last good version of the broken ones.'

/**
 * Checks a folder here first, so that mistakes show at once and nothing is sent; then brings the contents the hub lacks,
 * and asks for the release. Rejects with `CHECK_FAILED` and the problems.
 */
export async function releaseFolder(options: FolderRelease, hub: Hub, context: Context): Promise<Released> {
  const { output, clock, signal } = context
  const { checkFolder, KIND } = await import('../app/folder.ts')
  const { folder } = options
  output.progress(`checking ${folder} …`)
  const checked = await checkFolder(resolve(context.cwd, folder), { clock, signal })
  return releaseChecked({ kind: KIND, ...checked }, options, hub, context)
}

/** The same, of a folder that was read already. */
export async function releaseChecked(
  checked: CheckedTree,
  options: FolderRelease,
  hub: Hub,
  context: Context,
): Promise<Released> {
  const { output, signal } = context
  const { tree, folder, ...request } = options
  const errors = errorsOf(checked.problems)
  if (errors.length > 0 && options.quarantine !== true) {
    throw new FlotillaError('CHECK_FAILED', `${folder} has ${countProblems(checked.problems)}; nothing was changed`, {
      problems: sorted(checked.problems),
      hint: checked.advice ?? ADVICE,
    })
  }
  const { client } = hub
  const { desired } = await client.status(tree, { signal })
  const previous = desired?.number ?? 0
  output.progress(`bringing what the hub lacks of ${checked.tree.files.length} files …`)
  const sink = {
    missing: async (hashes: readonly string[]) => (await client.missingBlobs(hashes, { signal })).missing,
    put: (hash: string, bytes: Uint8Array) => client.putBlob(hash, bytes, { signal }),
  }
  const { upload } = await import('../app/folder.ts')
  await upload(sink, checked.tree, { signal })
  output.progress('releasing …')
  const files = [...checked.tree.files, ...(checked.besides ?? [])]
  const base = previous === 0 ? {} : { base: previous }
  const answer = await client.release(tree, { ...request, kind: checked.kind, files, ...base }, { signal })
  return { answer, previous, back: await takenBack(desired, answer, checked.items, hub, context) }
}
