import { constants } from 'node:fs'
import { type FileHandle, open, readlink } from 'node:fs/promises'

/** Thrown when the file that was opened turned out not to lie in its root. */
export class Outside extends Error {}

/** Both without symbolic links. */
export function isInside(root: string, path: string): boolean {
  return path.startsWith(root === '/' ? root : `${root}/`)
}

/**
 * Opens a file of `root` for reading, never a symbolic link, and without waiting for the other end of a pipe. Where the
 * system can tell, makes sure that what was opened lies in `root`, which must be free of symbolic links itself: then no
 * exchange of a folder for a link, at any moment, leads out. Rejects with `Outside`, or as `open` does.
 */
export async function openInside(root: string, path: string): Promise<FileHandle> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  if (process.platform !== 'linux') return handle
  const opened = await readlink(`/proc/self/fd/${handle.fd}`).catch(() => undefined)
  if (opened === undefined || isInside(root, opened)) return handle
  await handle.close()
  throw new Outside(`${path} leads out of ${root}`)
}
