import { constants, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Op } from '../../../core/op.ts'
import { syncDirectory, writeAtomic } from '../../../lib/atomic-file.ts'
import { removeEmptyInside, withFolderInside } from '../../../lib/inside.ts'
import { folderOf } from '../../../core/files/entry.ts'
import { safePath } from '../../../lib/safe-path.ts'

/** Never through a link, and never waiting for a pipe. */
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** Whole or not at all, and durable when it resolves. Never through a link, wherever one turns up meanwhile. */
export async function placeFile(root: string, path: string, bytes: Uint8Array, op: Op): Promise<void> {
  const safe = safePath(path)
  await withFolderInside(root, folderOf(safe), { make: true }, async (folder) => {
    await writeAtomic(join(folder.path, nameOf(safe)), bytes, op)
  })
}

/** Removes a file, and the folders above it that are empty then. One that is not there is removed. */
export async function removeFile(root: string, path: string): Promise<void> {
  const safe = safePath(path)
  const folder = folderOf(safe)
  try {
    await withFolderInside(root, folder, {}, async ({ path: within }) => {
      rmSync(join(within, nameOf(safe)), { force: true })
      await syncDirectory(within)
    })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  const above: string[] = []
  for (let one = folder; one.includes('/'); one = folderOf(one)) above.push(one)
  await removeEmptyInside(root, above)
}

/** Undefined where there is none that can be read. */
export async function ownBytes(root: string, path: string): Promise<Uint8Array | undefined> {
  const safe = safePath(path)
  try {
    return await withFolderInside(root, folderOf(safe), {}, ({ path: within }) =>
      readFileSync(join(within, nameOf(safe)), { flag: READ }),
    )
  } catch {
    return undefined
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
