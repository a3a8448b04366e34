import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { FlotillaError, isError, messageOf } from '../core/errors.ts'
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

/** Of the authorities that are believed. Rejects with `CONFIG_INVALID`. */
export async function readCertificates(path: string): Promise<string> {
  try {
    const pem = await readFile(path, 'utf8')
    // Throws where the first is none: what is no certificate would be passed over without a word, and nobody believed.
    void new X509Certificate(pem).subject
    return pem
  } catch (error) {
    throw new FlotillaError('CONFIG_INVALID', `${path} holds no certificate: ${messageOf(error)}`, {
      file: path,
      hint: 'It has to begin with -----BEGIN CERTIFICATE-----, of the authority of the child or of itself.',
      cause: error,
    })
  }
}
