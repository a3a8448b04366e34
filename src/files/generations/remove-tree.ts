import { constants } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { remoteCalls } from '../../lib/file-calls.ts'

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

/**
 * Removes what is called `name` in an opened folder, given as its path below /proc, with all that is in it. Goes from folder to
 * folder by descriptor: no link is ever followed. In threads, as there may be a lot.
 */
export async function removeTree(within: string, name: string): Promise<void> {
  const path = `${within}/${name}`
  const descriptor = await opened(path)
  if (descriptor === 'absent') return
  if (descriptor === 'no folder') {
    await remoteCalls.unlink(path)
    return
  }
  try {
    const folder = process.platform === 'linux' ? `/proc/self/fd/${descriptor}` : path
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) await removeTree(folder, entry.name)
      else await remoteCalls.unlink(`${folder}/${entry.name}`)
    }
  } finally {
    await remoteCalls.close(descriptor)
  }
  await remoteCalls.rmdir(path)
}

async function opened(path: string): Promise<number | 'absent' | 'no folder'> {
  try {
    return await remoteCalls.open(path, FOLDER)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return 'absent'
    if (code === 'ENOTDIR' || code === 'ELOOP') return 'no folder'
    throw error
  }
}
