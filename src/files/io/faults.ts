import { FlotillaError } from '../../core/errors.ts'
import { asDiskFull } from '../../lib/atomic-file.ts'
import { Outside } from '../../lib/open-inside.ts'

const ABSENT: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'])
const BLOCKED: ReadonlySet<string> = new Set(['ENOTDIR', 'EISDIR', 'ENOTEMPTY', 'EEXIST', 'ELOOP'])
const FORBIDDEN: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS'])

/** Whether the file system says that there is no such file, or only one that we do not go to. */
export function isAbsent(error: unknown): boolean {
  return error instanceof Outside || ABSENT.has(codeOf(error))
}

export function blocked(key: string, cause?: unknown): FlotillaError {
  return new FlotillaError(
    'BAD_REQUEST',
    `a folder, or no plain file, is in the place of ${key}, or a file in that of its folder`,
    {
      hint: 'One name cannot be both: use another key, or remove what is there.',
      cause,
    },
  )
}

/** Wraps what a body rejects with: whatever code that has, it is not about our files. */
export class FromBody extends Error {
  constructor(cause: unknown) {
    super('a body failed', { cause })
  }
}

/** What the file system refused, as people are told; anything else as it was. */
export function explained(error: unknown, key: string): unknown {
  if (error instanceof FlotillaError) return error
  if (error instanceof FromBody) return error.cause
  const code = codeOf(error)
  if (error instanceof Outside || BLOCKED.has(code)) return blocked(key, error)
  if (code === 'ENAMETOOLONG')
    return new FlotillaError('BAD_REQUEST', `the key ${key} is too long for the file system`, { cause: error })
  if (code === 'ENOENT') {
    return new FlotillaError('LOST_RACE', `the folder of ${key} was taken away meanwhile`, {
      hint: 'Try again.',
      cause: error,
    })
  }
  if (code === 'EFBIG')
    return new FlotillaError('TOO_LARGE', `${key} is larger than the file system takes`, { cause: error })
  if (!FORBIDDEN.has(code)) return asDiskFull(error, key)
  return new FlotillaError('FORBIDDEN', `the system does not let us touch ${key} (${code})`, {
    hint: 'Check whose the folder is, its permissions, and whether it is mounted read-only.',
    cause: error,
  })
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException | undefined)?.code)
}
