import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes a folder, and those above it that are missing. False when something of that name is there already. For paths
 * that people name: Node's own `recursive` tries for ever where a file system answers ENOENT although the folder above
 * is there, as /proc and automounters do.
 */
export async function makeFolder(path: string, mode: number): Promise<boolean> {
  const answer = await tryFolder(path, mode)
  if (typeof answer === 'boolean') return answer
  if (dirname(path) === path) throw answer
  await makeFolder(dirname(path), mode)
  const again = await tryFolder(path, mode)
  if (typeof again === 'boolean') return again
  throw again
}

async function tryFolder(path: string, mode: number): Promise<boolean | Error> {
  try {
    await mkdir(path, { mode })
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    if (code === 'ENOENT') return error as Error
    throw error
  }
}
