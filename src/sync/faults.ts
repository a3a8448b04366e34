import { FlotillaError, isError, messageOf } from '../core/errors.ts'
import { asDiskFull } from '../lib/atomic-file.ts'
import { Outside } from '../lib/open-inside.ts'

/** Result codes of SQLite. Source: sqlite.org/rescode.html */
const BUSY = 5
const FULL = 13

/** What the file system, or SQLite, refused, as one of our errors; what is one already stays as it is. */
export function fileError(error: unknown, path: string): FlotillaError {
  if (isError(error)) return error
  const full = asDiskFull(error, path)
  if (isError(full)) return full
  const { errcode } = error as { readonly errcode?: unknown }
  if (errcode === FULL) return new FlotillaError('DISK_FULL', `no room to write ${path}`, { file: path, cause: error })
  if (errcode === BUSY) {
    return new FlotillaError('LOST_RACE', 'another process syncs the same into this folder', {
      file: path,
      hint: 'Wait for its end, or stop it first.',
    })
  }
  if (error instanceof Outside)
    return new FlotillaError('FORBIDDEN', `${path} leads out of the folder`, { cause: error })
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EISDIR' || code === 'ENOTDIR' || code === 'EEXIST' || code === 'ENOTEMPTY') {
    return new FlotillaError(
      'BAD_REQUEST',
      `${path}: a file is in the place of a folder, or a folder in that of a file`,
      {
        file: path,
        hint: 'Move away what is there.',
        cause: error,
      },
    )
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new FlotillaError('FORBIDDEN', `${path} cannot be written: ${messageOf(error)}`, {
      file: path,
      hint: 'Look at the owner and the mode of the file and of the folders above it.',
      cause: error,
    })
  }
  return new FlotillaError('INTERNAL', messageOf(error), { file: path, cause: error })
}
