import { type FileHandle, open } from 'node:fs/promises'
import { FlotillaError } from '../core/errors.ts'
import { Secret } from './secret.ts'
import { shellWord } from './shell-word.ts'

const BYTES_MAX = 4096
const OTHERS = 0o077

const TOKEN = /^[!-~]+$/
/** Words of a person: one line. */
export const PHRASE = /^\P{Cc}+$/u

/**
 * The secret that a file holds, without surrounding white space; a token unless another `form` is expected. Rejects with `NOT_FOUND` when there is no such file,
 * with `INSECURE_FILE` when anybody but its owner can touch it, as ssh does with its keys.
 */
export async function readSecretFile(path: string, form: RegExp = TOKEN): Promise<Secret> {
  const handle = await opened(path)
  try {
    const stat = await handle.stat()
    if (!stat.isFile()) throw new FlotillaError('NOT_FOUND', `${path} is not a file`)
    if ((stat.mode & OTHERS) !== 0) {
      const mode = (stat.mode & 0o777).toString(8).padStart(4, '0')
      throw new FlotillaError('INSECURE_FILE', `${path} holds a secret and others can read it (mode ${mode})`, {
        hint: `Run: chmod 600 ${shellWord(path)}`,
      })
    }
    if (stat.size > BYTES_MAX) throw new FlotillaError('TOO_LARGE', `${path} is too long to be a token`)
    const text = (await handle.readFile('utf8')).trim()
    if (!form.test(text)) {
      const what = form === TOKEN ? 'token' : 'secret'
      throw new FlotillaError('UNAUTHENTICATED', `${path} does not hold a ${what}`, {
        hint: form === TOKEN ? 'It holds the token alone: one word, nothing before or after it.' : undefined,
      })
    }
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
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new FlotillaError('NOT_FOUND', `there is no file ${path}`, {
        hint: `Check the path. It holds the secret alone; to make it: (umask 077; cat > ${shellWord(path)}), then the secret, Enter, Ctrl-D.`,
      })
    }
    if (code === 'EACCES') throw new FlotillaError('FORBIDDEN', `${path} cannot be read by this user`)
    throw cause
  }
}
