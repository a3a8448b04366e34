import { FlotillaError, isError } from '../core/errors.ts'
import type { Secret } from '../lib/secret.ts'
import { readSecretFile } from '../lib/secret-file.ts'

/**
 * The key that is shown to a child. Rejects as `readSecretFile` does; `CONFIG_INVALID` where it holds something else that services of files
 * know people by, such as S3 credentials: a child knows its parent by a key alone.
 */
export async function readChildKey(path: string): Promise<Secret> {
  try {
    return await readSecretFile(path)
  } catch (error) {
    if (!isError(error, 'UNAUTHENTICATED')) throw error
    throw new FlotillaError('CONFIG_INVALID', `${path} does not hold a key, which is one word`, {
      hint: 'A child knows its parent by a key alone, not by S3 credentials; in its file of API keys it says: KEY parent TREE',
      cause: error,
    })
  }
}
