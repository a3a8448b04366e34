import { resolve } from 'node:path'
import type { ReleaseAnswer, ReleaseRequest } from '../core/api.ts'
import { FlotillaError } from '../core/errors.ts'
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

/**
 * Checks a folder here first, so that mistakes show at once and nothing is sent; then brings the contents the hub lacks,
 * and asks for the release. Rejects with `CHECK_FAILED` and the problems.
 */
export async function releaseFolder(options: FolderRelease, hub: Hub, context: Context): Promise<Released> {
  const { output, clock, signal } = context
  const { checkFolder, KIND, upload } = await import('../app/folder.ts')
  const { tree, folder, ...request } = options
  output.progress(`checking ${folder} …`)
  const checked = await checkFolder(resolve(context.cwd, folder), { clock, signal })
  const errors = errorsOf(checked.problems)
  if (errors.length > 0 && options.quarantine !== true) {
    throw new FlotillaError('CHECK_FAILED', `${folder} has ${countProblems(checked.problems)}; nothing was changed`, {
      problems: sorted(checked.problems),
      hint: 'Mend the files, or release with --quarantine to keep the last good version of the broken ones.',
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
  await upload(sink, checked.tree, { signal })
  output.progress('releasing …')
  const files = checked.tree.files
  const base = previous === 0 ? {} : { base: previous }
  const answer = await client.release(tree, { ...request, kind: KIND, files, ...base }, { signal })
  return { answer, previous, back: await takenBack(desired, answer, checked.items, hub, context) }
}
