import { FlotillaError } from '../../core/errors.ts'

/** Result codes of SQLite that mean something to us; the low byte is the primary code. Source: sqlite.org/rescode.html */
const RESULT = {
  PERM: 3,
  BUSY: 5,
  READONLY: 8,
  IOERR: 10,
  CORRUPT: 11,
  FULL: 13,
  CANTOPEN: 14,
  NOTADB: 26,
  IOERR_WRITE: 10 | (3 << 8),
  IOERR_FSYNC: 10 | (4 << 8),
  IOERR_TRUNCATE: 10 | (6 << 8),
  IOERR_DIR_FSYNC: 10 | (5 << 8),
} as const

/** Says in our words what SQLite said of the file at `path`. Returns anything that is not of SQLite as it was. */
export function storeError(error: unknown, path: string): unknown {
  const code = (error as { errcode?: unknown } | null)?.errcode
  if (typeof code !== 'number') return error
  const why = (error as Error).message
  const details = { file: path, cause: error }
  switch (code) {
    case RESULT.IOERR_WRITE:
    case RESULT.IOERR_TRUNCATE:
      return diskFull(path, why, error)
    case RESULT.IOERR_FSYNC:
    case RESULT.IOERR_DIR_FSYNC:
      return new FlotillaError('INTERNAL', `the disk did not confirm a write to ${path}: ${why}`, {
        ...details,
        hint: 'Whether it was kept shows after a restart.',
      })
    default:
      return byPrimaryCode(code & 0xff, path, why, error)
  }
}

function byPrimaryCode(code: number, path: string, why: string, cause: unknown): FlotillaError {
  const details = { file: path, cause }
  switch (code) {
    case RESULT.FULL:
      return diskFull(path, why, cause)
    case RESULT.BUSY:
      return new FlotillaError('STORE_IN_USE', `another process holds ${path}`, {
        ...details,
        hint: 'Stop the other process, or give this one a data folder of its own.',
      })
    case RESULT.CORRUPT:
    case RESULT.NOTADB:
      return new FlotillaError('CORRUPT', `${path} is damaged: ${why}`, {
        ...details,
        hint: 'Put back a copy from a backup, or move the file away to start empty.',
      })
    case RESULT.CANTOPEN:
    case RESULT.READONLY:
    case RESULT.PERM:
      return new FlotillaError('CONFIG_INVALID', `cannot write to ${path}: ${why}`, {
        ...details,
        hint: 'The folder must exist, and the file and its folder must be writable for this user.',
      })
    default:
      return new FlotillaError('INTERNAL', `the store at ${path} failed: ${why}`, details)
  }
}

function diskFull(path: string, why: string, cause: unknown): FlotillaError {
  return new FlotillaError('DISK_FULL', `no room to write to ${path}: ${why}`, {
    file: path,
    hint: 'Free some space; the store goes on by itself.',
    cause,
  })
}
