import { type Stats, statSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { FlotillaError } from '../../../core/errors.ts'

/** What to do about a folder that is missing. */
export const MISSING_HINT =
  'Is the volume mounted? Otherwise correct the folders in the configuration of this node. It is tried again by itself.'

/**
 * Makes the last part of `path`, and nothing above it: what was made in place of a volume that is not mounted would hide
 * that, and be hidden itself when it is. Answers whether it was made now. Rejects with `CONFIG_INVALID`.
 */
export async function makeFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    throw code === 'ENOENT' ? missing(dirname(path), dirname(path), error) : error
  }
}

/** Undefined where there is nothing. */
export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined
    throw error
  }
}

/** Throws `CONFIG_INVALID` where there is no folder at `path`; `name` is the option that names it. */
export function mustBeFolder(path: string, name: string): void {
  if (statOf(path)?.isDirectory() !== true) throw missing(`${name} ${path}`, path)
}

function missing(what: string, file: string, cause?: unknown): FlotillaError {
  return new FlotillaError('CONFIG_INVALID', `${what} is not there`, { file, hint: MISSING_HINT, cause })
}
