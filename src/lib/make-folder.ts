import { mkdir, rmdir } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes a folder, and those above it that are missing. Answers what it made, the folder itself first; nothing when
 * something of that name is there already. When it rejects it leaves nothing behind. For paths that people name: Node's
 * own `recursive` tries for ever where a file system answers ENOENT although the folder above is there, as /proc and
 * automounters do.
 */
export async function makeFolder(path: string, mode: number): Promise<readonly string[]> {
  const answer = await tryFolder(path, mode)
  if (typeof answer === 'boolean') return answer ? [path] : []
  if (dirname(path) === path) throw answer
  const above = await makeFolder(dirname(path), mode)
  try {
    const again = await tryFolder(path, mode)
    if (typeof again !== 'boolean') throw again
    return again ? [path, ...above] : []
  } catch (error) {
    await removeEmpty(above)
    throw error
  }
}

/** Takes back what `makeFolder` made, up to the first folder that somebody uses by now. */
export async function removeEmpty(made: readonly string[]): Promise<void> {
  for (const folder of made) {
    try {
      await rmdir(folder)
    } catch {
      return
    }
  }
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
