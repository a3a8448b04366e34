import { type FileHandle, open } from 'node:fs/promises'
import { FlotillaError } from '../core/errors.ts'
import { Secret } from './secret.ts'

const BYTES_MAX = 4096
const OTHERS = 0o077

/**
 * The secret that a file holds, without surrounding white space. Rejects with `NOT_FOUND` when there is no such file,
 * with `INSECURE_FILE` when anybody but its owner can touch it, as ssh does with its keys.
 */
export async function readSecretFile(path: string): Promise<Secret> {
  const handle = await opened(path)
  try {
    const stat = await handle.stat()
    if (!stat.isFile()) throw new FlotillaError('NOT_FOUND', `${path} is not a file`)
    if ((stat.mode & OTHERS) !== 0) {
      const mode = (stat.mode & 0o777).toString(8).padStart(4, '0')
      throw new FlotillaError('INSECURE_FILE', `${path} holds a secret and others can read it (mode ${mode})`, {
        hint: `chmod 600 ${path}`,
      })
    }
    if (stat.size > BYTES_MAX) throw new FlotillaError('TOO_LARGE', `${path} is too long to be a token`)
    const text = (await handle.readFile('utf8')).trim()
    if (!/^[!-~]+$/.test(text)) throw new FlotillaError('UNAUTHENTICATED', `${path} does not hold a token`)
    return new Secret(text)
  } finally {
    await handle.close()
  }
}

async function opened(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r')
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new FlotillaError('NOT_FOUND', `there is no file ${path}`)
    if (code === 'EACCES') throw new FlotillaError('FORBIDDEN', `${path} cannot be read by this user`)
    throw cause
  }
}
