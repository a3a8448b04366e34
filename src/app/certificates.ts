import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { FlotillaError, messageOf } from '../core/errors.ts'

/** Certificates in PEM: of the authorities that are believed, or what is shown to others. Rejects with `CONFIG_INVALID`. */
export async function readCertificates(path: string): Promise<string> {
  try {
    const pem = await readFile(path, 'utf8')
    // Throws where the first is none: what is no certificate would be passed over without a word, and nobody believed.
    void new X509Certificate(pem).subject
    return pem
  } catch (error) {
    throw new FlotillaError('CONFIG_INVALID', `${path} holds no certificate: ${messageOf(error)}`, {
      file: path,
      hint: 'It has to begin with -----BEGIN CERTIFICATE-----, of the authority or of the other side itself.',
      cause: error,
    })
  }
}
