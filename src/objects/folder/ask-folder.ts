import { lstat, realpath } from 'node:fs/promises'
import { FlotillaError, isError, messageOf } from '../../core/errors.ts'
import { Outside } from '../../lib/open-inside.ts'

/** Undefined when there is nothing of that name; rejects with `UNREACHABLE` when the folder itself cannot be asked. */
export async function askFolder<T>(folder: string, call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call()
  } catch (error) {
    if (isError(error)) throw error
    const code = (error as NodeJS.ErrnoException).code ?? ''
    const isAbsent = error instanceof Outside || ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'].includes(code)
    if (isAbsent && (await isFolder(folder))) return undefined
    const why = code === 'ENOENT' ? 'there is none' : code === 'ENOTDIR' ? 'it is a file' : messageOf(error)
    throw new FlotillaError('UNREACHABLE', `folder ${folder} cannot be read: ${why}`, {
      file: folder,
      hint: code === 'ENOTDIR' ? 'Name the folder.' : 'Check the path, that the share is mounted and may be read.',
      cause: error,
    })
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await lstat(await realpath(path))).isDirectory()
  } catch {
    return false
  }
}
