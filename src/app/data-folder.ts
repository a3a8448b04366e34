import { chmod, readdir, stat } from 'node:fs/promises'
import { FlotillaError } from '../core/errors.ts'
import { makeFolder } from '../lib/make-folder.ts'

/**
 * Makes a folder that only this user can enter. One that is there is taken when it is empty or holds `mark`, the file by
 * which such a folder is known, and closed to others; any other may belong to something else and is refused.
 */
export async function ownFolder(folder: string, mark: string): Promise<void> {
  const made = await makeFolder(folder, 0o700)
  const names = await readdir(folder)
  if (made.length === 0 && names.length > 0 && !names.includes(mark)) {
    throw new FlotillaError('USAGE', `${folder} is not empty, and was not made by Flotilla`, {
      hint: 'Choose another folder, which does not need to exist.',
    })
  }
  const { mode } = await stat(folder)
  if ((mode & 0o077) !== 0) await chmod(folder, 0o700)
}
